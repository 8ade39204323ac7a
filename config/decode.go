package config

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/paddock-dev/audit/internal/options"
)

// Decode reads a file of a program's own into the struct that into points to,
// as strictly as this package reads its own: its fields are keys, with the tags
// that Type.New describes; unknown and duplicate keys and values out of range
// are refused; then into's Validate is asked, where it is a Validator. name
// stands for the file in messages, and hint says how to begin a file that is empty.
//
// A bad file is a *FileError with everything that is wrong. Fields that the file
// does not name keep the values that they have, or get the defaults of their tags.
func Decode(name string, data []byte, into any, hint string) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("config: Decode needs a pointer to a struct, not %T", into)
	}
	if err := supported(v.Elem().Type(), nil); err != nil {
		return fmt.Errorf("config: Decode into %T: %w", into, err)
	}
	d := newDecoder(name, hint, "write the value out")
	if root := d.read(data); root != nil && d.fill(root, v.Elem(), "", options.Field{}) {
		d.validated(into, "")
	}
	return d.err()
}

// decoder fills structs from YAML nodes. It goes on after a problem, so that all problems
// are reported together, and it never quotes a value. The strict decoding of yaml.v3 stops
// at a problem, and quotes values.
type decoder struct {
	problems, warnings report

	lines map[string]int // of each path
	refs  []reference    // in the order of the file
	// ifEmpty says how to begin a file that is empty, and ifAlias how to do without an alias.
	ifEmpty, ifAlias string
}

// reference is a place where a sink is named.
type reference struct {
	name Ref
	path string
}

func newDecoder(file, ifEmpty, ifAlias string) *decoder {
	return &decoder{problems: report{file: file}, warnings: report{file: file}, lines: map[string]int{}, ifEmpty: ifEmpty, ifAlias: ifAlias}
}

// err returns the problems in the order of their lines.
func (d *decoder) err() error {
	if d.problems.all == 0 {
		return nil
	}
	return &FileError{Problems: d.problems.sorted()}
}

func (d *decoder) problem(line int, path, format string, args ...any) {
	d.problems.add(line, path, format, args...)
}

// problemAt reports a problem that is found after decoding. Its line is that of path, or of
// the nearest key around path.
func (d *decoder) problemAt(path, format string, args ...any) {
	d.problems.add(d.line(path), path, format, args...)
}

func (d *decoder) warningAt(path, text string) { d.warnings.add(d.line(path), path, "%s", text) }

// validated reports the errors of v.Validate, where v is a Validator. at is the path of v.
func (d *decoder) validated(v any, at string) {
	validator, ok := v.(Validator)
	if !ok {
		return
	}
	d.report(at, validator.Validate())
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

// entries returns the keys of a mapping that occur once. It reports the others, and a
// node that is no mapping.
func (d *decoder) entries(n *yaml.Node, path string) (all []entry) {
	if n.Kind != yaml.MappingNode {
		d.problem(n.Line, path, "is %s: want keys with values", kindOf(n))
		return nil
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch line, seen := first[k.Value]; {
		case k.Kind != yaml.ScalarNode || k.ShortTag() == "!!merge":
			d.problem(k.Line, path, "has a key that is not a plain word: write each key out")
			continue
		case seen:
			d.problem(k.Line, join(path, shown(k.Value)), "stands in line %d already: keep one of the two", line)
			continue
		}
		first[k.Value] = k.Line
		d.lines[join(path, k.Value)] = k.Line
		all = append(all, entry{name: k.Value, key: k, value: v})
	}
	return all
}

const aliased = "is an alias: aliases are not supported, %s"

// fill decodes n into v and reports whether it could.
func (d *decoder) fill(n *yaml.Node, v reflect.Value, path string, f options.Field) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		d.problem(n.Line, path, aliased, d.ifAlias)
		return false
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		d.problem(n.Line, path, "is empty: give it a value or leave the key out")
		return false
	}
	before := d.problems.all
	t := v.Type()
	switch shapeOf(t) {
	case asNode:
		v.Set(reflect.ValueOf(*n))
	case asValue:
		d.fillValue(n, v, path)
	case asDuration, asText, asBool, asNumber:
		d.fillScalar(n, v, path, f)
	case asPointer:
		v.Set(reflect.New(t.Elem()))
		f.Type = t.Elem()
		d.fill(n, v.Elem(), path, f)
	case asStruct:
		d.fillStruct(n, v, path)
	case asMap:
		for _, e := range d.entries(n, path) {
			d.fillEntry(e, v, path)
		}
	case asList:
		d.fillSlice(n, v, path, f)
	case asAny:
		if value := d.plain(n, path); value != nil {
			v.Set(reflect.ValueOf(value))
		}
	}
	return d.problems.all == before
}

func (d *decoder) fillStruct(n *yaml.Node, v reflect.Value, path string) {
	if v.Type() == onFailureType && n.Kind == yaml.ScalarNode {
		var all reaction
		d.fill(n, reflect.ValueOf(&all).Elem(), path, options.Field{Type: reflect.TypeFor[reaction](), Enum: reactions})
		v.Set(reflect.ValueOf(onFailure{Granted: all, Denied: all, Warned: all}))
		return
	}
	entries := d.entries(n, path)
	if n.Kind == yaml.MappingNode { // entries has reported anything else
		d.fillKeys(n.Line, entries, v, path)
	}
}

// fillKeys decodes the keys of a struct that begins at the line.
func (d *decoder) fillKeys(line int, entries []entry, v reflect.Value, path string) bool {
	before := d.problems.all
	setDefaults(v)
	keys, given := map[string]options.Field{}, map[string]bool{}
	var rest options.Field
	var names []string
	fields := options.Of(v.Type())
	for _, f := range fields {
		if f.Rest {
			rest = f
		} else {
			keys[f.Key], names = f, append(names, f.Key)
		}
	}
	for _, e := range entries {
		given[e.name] = true
		f, known := keys[e.name]
		switch {
		case known:
			d.fill(e.value, v.FieldByIndex(f.Index), join(path, e.name), f)
		case rest.Rest:
			d.fillEntry(e, v.FieldByIndex(rest.Index), path)
		case d.problems.full():
			d.problems.all++ // without looking for a key with a similar name
		default:
			hint := cmp.Or(options.Nearest(e.name, names), ": there are "+list(names))
			if len(names) == 0 {
				hint = ": there are no keys here"
			}
			d.problem(e.key.Line, join(path, shown(e.name)), "is not a known key%s", hint)
		}
	}
	for _, f := range fields {
		if f.Required && !given[f.Key] {
			d.problem(line, join(path, f.Key), "is missing%s", because(f.Doc))
		}
	}
	return d.problems.all == before
}

func because(doc string) string {
	if doc == "" {
		return ""
	}
	return ": give " + doc
}

// fillEntry decodes one entry of a map.
func (d *decoder) fillEntry(e entry, m reflect.Value, path string) {
	if m.IsNil() {
		m.Set(reflect.MakeMap(m.Type()))
	}
	value, at := reflect.New(m.Type().Elem()).Elem(), join(path, shown(e.name))
	d.lines[at] = e.key.Line
	d.fill(e.value, value, at, options.Field{Type: value.Type()})
	m.SetMapIndex(reflect.ValueOf(e.name).Convert(m.Type().Key()), value)
}

func (d *decoder) fillSlice(n *yaml.Node, v reflect.Value, path string, f options.Field) {
	switch {
	case n.Kind != yaml.SequenceNode:
		d.problem(n.Line, path, "is %s: want a list, such as [a, b]", kindOf(n))
		return
	case f.Required && len(n.Content) == 0:
		d.problem(n.Line, path, "is empty%s", because(f.Doc))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.lines[at] = item.Line
		d.fill(item, v.Index(i), at, options.Field{Type: v.Type().Elem(), Enum: f.Enum})
	}
}

func (d *decoder) fillValue(n *yaml.Node, v reflect.Value, path string) {
	before := d.problems.all
	value := d.plain(n, path)
	if d.problems.all > before {
		return
	}
	if err := v.Addr().Interface().(Value).FromYAML(value); err != nil {
		d.problem(n.Line, path, "%s", err)
	}
}
