package config

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/paddock-dev/audit/internal/options"
)

// decoder fills structs from YAML nodes. It goes on after a problem, so that all
// of them are reported at once, and never quotes a value. yaml.v3's own strict
// decoding does neither.
type decoder struct {
	file     string
	problems []Problem
	warnings []Problem
	lines    map[string]int // of each path
	refs     []reference    // in the order of the file
	// ifEmpty and ifAlias say what to write instead.
	ifEmpty, ifAlias string
}

// reference is a place where a sink is named.
type reference struct {
	name Ref
	path string
	line int
}

func (d *decoder) problem(n *yaml.Node, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: n.Line, Path: path, Text: fmt.Sprintf(format, args...)})
}

// problemAt reports a problem that shows after decoding, at the line of path or
// of what stands around it.
func (d *decoder) problemAt(path, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: d.line(path), Path: path, Text: fmt.Sprintf(format, args...)})
}

func (d *decoder) warningAt(path, text string) {
	d.warnings = append(d.warnings, Problem{File: d.file, Line: d.line(path), Path: path, Text: text})
}

func (d *decoder) line(path string) int {
	for {
		if line, ok := d.lines[path]; ok {
			return line
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return d.lines[""]
		}
		path = path[:i]
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// entry is one key of a mapping with its value.
type entry struct {
	name       string
	key, value *yaml.Node
}

// entries returns the keys of a mapping that occur once and have a value. It
// reports the others.
func (d *decoder) entries(n *yaml.Node, path string) (all []entry, ok bool) {
	if n.Kind != yaml.MappingNode {
		d.problem(n, path, "is %s: want keys with values", kindOf(n))
		return nil, false
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch line, seen := first[k.Value]; {
		case k.Kind != yaml.ScalarNode || k.ShortTag() == "!!merge":
			d.problem(k, path, "has a key that is not a plain word: write each key out")
			continue
		case seen:
			d.problem(k, join(path, shown(k.Value)), "stands in line %d already: keep one of the two", line)
			continue
		}
		first[k.Value] = k.Line
		d.lines[join(path, k.Value)] = k.Line
		all = append(all, entry{name: k.Value, key: k, value: v})
	}
	return all, true
}

// fill decodes n into v and reports whether it could.
func (d *decoder) fill(n *yaml.Node, v reflect.Value, path string, f options.Field) bool {
	t := v.Type()
	switch {
	case n.Kind == yaml.AliasNode:
		d.problem(n, path, "is an alias: aliases are not supported, %s", d.ifAlias)
		return false
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		d.problem(n, path, "is empty: give it a value or leave the key out")
		return false
	case t == nodeType:
		v.Set(reflect.ValueOf(*n))
		return true
	case isValue(t):
		return d.fillValue(n, v, path)
	case t == onFailureType && n.Kind == yaml.ScalarNode:
		all := OnFailure{}
		ok := d.fill(n, reflect.ValueOf(&all.Denied).Elem(), path, options.Field{Type: reflect.TypeFor[string](), Enum: reactions})
		v.Set(reflect.ValueOf(OnFailure{Granted: all.Denied, Denied: all.Denied, Warned: all.Denied}))
		return ok
	case isText(t) || t == durationType:
		return d.fillScalar(n, v, path, f)
	}
	switch t.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		f.Type = t.Elem()
		return d.fill(n, v.Elem(), path, f)
	case reflect.Struct:
		return d.fillStruct(n, v, path)
	case reflect.Map:
		return d.fillMap(n, v, path)
	case reflect.Slice:
		return d.fillSlice(n, v, path, f)
	case reflect.Interface:
		value, ok := d.plain(n, path)
		if ok {
			v.Set(reflect.ValueOf(value))
		}
		return ok
	default:
		return d.fillScalar(n, v, path, f)
	}
}

func (d *decoder) fillStruct(n *yaml.Node, v reflect.Value, path string) bool {
	entries, ok := d.entries(n, path)
	if !ok {
		return false
	}
	return d.fillKeys(n, entries, v, path)
}

// fillKeys decodes the keys of a struct.
func (d *decoder) fillKeys(n *yaml.Node, entries []entry, v reflect.Value, path string) bool {
	before := len(d.problems)
	setDefaults(v)
	keys := map[string]options.Field{}
	var rest options.Field
	var names []string
	fields := options.Of(v.Type())
	for _, f := range fields {
		if f.Rest {
			rest = f
			continue
		}
		keys[f.Key], names = f, append(names, f.Key)
	}
	for _, e := range entries {
		f, known := keys[e.name]
		switch {
		case known:
			d.fill(e.value, v.FieldByIndex(f.Index), join(path, e.name), f)
		case rest.Rest:
			d.fillEntry(e, v.FieldByIndex(rest.Index), path)
		default:
			hint := nearest(e.name, names)
			if hint == "" {
				hint = ": there are " + list(names)
			}
			if len(names) == 0 {
				hint = ": there are no keys here"
			}
			d.problem(e.key, join(path, shown(e.name)), "is not a known key%s", hint)
		}
	}
	for _, f := range fields {
		if f.Required && !has(n, f.Key) {
			d.problem(n, join(path, f.Key), "is missing%s", because(f.Doc))
		}
	}
	return len(d.problems) == before
}

func because(doc string) string {
	if doc == "" {
		return ""
	}
	return ": give " + doc
}

// has reports that name is a key of n, once or more.
func has(n *yaml.Node, name string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
}

func (d *decoder) fillMap(n *yaml.Node, v reflect.Value, path string) bool {
	entries, ok := d.entries(n, path)
	for _, e := range entries {
		ok = d.fillEntry(e, v, path) && ok
	}
	return ok
}

// fillEntry decodes one entry of a map.
func (d *decoder) fillEntry(e entry, m reflect.Value, path string) bool {
	if m.IsNil() {
		m.Set(reflect.MakeMap(m.Type()))
	}
	value := reflect.New(m.Type().Elem()).Elem()
	ok := d.fill(e.value, value, join(path, shown(e.name)), options.Field{Type: value.Type()})
	m.SetMapIndex(reflect.ValueOf(e.name).Convert(m.Type().Key()), value)
	return ok
}

func (d *decoder) fillSlice(n *yaml.Node, v reflect.Value, path string, f options.Field) bool {
	if n.Kind != yaml.SequenceNode {
		d.problem(n, path, "is %s: want a list, such as [a, b]", kindOf(n))
		return false
	}
	if f.Required && len(n.Content) == 0 {
		d.problem(n, path, "is empty%s", because(f.Doc))
		return false
	}
	ok := true
	items := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.lines[at] = item.Line
		ok = d.fill(item, items.Index(i), at, options.Field{Type: v.Type().Elem(), Enum: f.Enum}) && ok
	}
	v.Set(items)
	return ok
}

func (d *decoder) fillValue(n *yaml.Node, v reflect.Value, path string) bool {
	value, ok := d.plain(n, path)
	if !ok {
		return false
	}
	if err := v.Addr().Interface().(Value).FromYAML(value); err != nil {
		d.problem(n, path, "%s", err)
		return false
	}
	return true
}
