package config

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/paddock-dev/audit/internal/options"
)

// kindOf says what a node is, as messages put it, without its value.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!str":
		return "a text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "empty"
	}
	return "a value of another kind"
}

// fillScalar decodes a single value. Texts are never taken for numbers nor
// numbers for texts: 0123 and 1e3 would not come out as they were written.
func (d *decoder) fillScalar(n *yaml.Node, v reflect.Value, path string, f options.Field) bool {
	before := len(d.problems)
	t := v.Type()
	switch {
	case t == durationType:
		d.fillDuration(n, v, path, f)
	case t.Kind() == reflect.Bool:
		if d.wantTag(n, path, "want true or false", "!!bool") {
			var b bool
			if n.Decode(&b) != nil {
				d.problem(n, path, "want true or false")
			}
			v.SetBool(b)
		}
	case t.Kind() == reflect.String || isText(t):
		d.fillText(n, v, path, f)
	default:
		d.fillNumber(n, v, path, f)
	}
	return len(d.problems) == before
}

// wantTag reports a problem unless n is a scalar of one of the tags.
func (d *decoder) wantTag(n *yaml.Node, path, want string, tags ...string) bool {
	if n.Kind == yaml.ScalarNode && slices.Contains(tags, n.ShortTag()) {
		return true
	}
	d.problem(n, path, "is %s: %s", kindOf(n), want)
	return false
}

// textForms says how types that read themselves are written, by their names.
var textForms = map[string]string{
	"URL":        "a URL, such as http://proxy:3128",
	"TLSVersion": "TLS10, TLS11, TLS12 or TLS13",
}

var passwordInURL = regexp.MustCompile(`://[^/@\s:]*:[^/@\s]+@`)

func (d *decoder) fillText(n *yaml.Node, v reflect.Value, path string, f options.Field) {
	want := "want a text"
	switch {
	case v.Type() == refType:
		want = "want the name of a sink"
	case n.Kind == yaml.ScalarNode:
		want = "want a text: put it in quotes"
	}
	if !d.wantTag(n, path, want, "!!str") {
		return
	}
	switch {
	case len(f.Enum) > 0 && !slices.Contains(f.Enum, n.Value):
		hint := ""
		if shown(n.Value) == n.Value {
			hint = nearest(n.Value, f.Enum)
		}
		if hint == "" {
			hint = ": want " + strings.Join(f.Enum, " or ")
		}
		d.problem(n, path, "is not one of the words it can be%s", hint)
		return
	case f.Required && n.Value == "":
		d.problem(n, path, "is empty%s", because(f.Doc))
		return
	case isText(v.Type()):
		if !readText(v, n.Value) {
			d.problem(n, path, "cannot be read: want %s", cmp.Or(textForms[v.Type().Name()], "the form that "+v.Type().String()+" has"))
			return
		}
	default:
		v.SetString(n.Value)
	}
	if err := f.Check(v); err != nil {
		d.problem(n, path, "%s", err)
		return
	}
	switch {
	case v.Type() == refType:
		d.refs = append(d.refs, reference{name: Ref(n.Value), path: path, line: n.Line})
	case hidesItself(v.Type()) && n.Value != "":
		d.warningAt(path, "is a secret in the clear: put it into a file that only the component can read, and name that"+fileKey(path))
	case passwordInURL.MatchString(n.Value):
		d.warningAt(path, "holds a password in the clear: take it out of the URL")
	}
}

// fileKey is what stands beside a secret for the name of a file, where the key
// follows the custom for that.
func fileKey(path string) string {
	name := path[strings.LastIndexByte(path, '.')+1:]
	if strings.ContainsAny(name, "[(") {
		return ""
	}
	return " under " + name + "_file"
}

// readText lets a type read itself, and reports whether it could. What it says
// is dropped, for it quotes the value; so is what it panics with.
func readText(v reflect.Value, text string) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if reader, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return reader.UnmarshalText([]byte(text)) == nil
	}
	reader := v.Addr().Interface().(interface{ UnmarshalYAML(func(any) error) error })
	return reader.UnmarshalYAML(func(into any) error {
		target := reflect.ValueOf(into)
		if target.Kind() != reflect.Pointer || target.Elem().Kind() != reflect.String {
			return errors.New("a text cannot be read into this type")
		}
		target.Elem().SetString(text)
		return nil
	}) == nil
}

func (d *decoder) fillDuration(n *yaml.Node, v reflect.Value, path string, f options.Field) {
	const want = "want a duration with its unit, such as 500ms, 3s or 1m30s"
	if !d.wantTag(n, path, want, "!!str") {
		return
	}
	took, err := time.ParseDuration(n.Value)
	if err != nil || strings.HasPrefix(n.Value, "+") {
		d.problem(n, path, "%s", want)
		return
	}
	v.SetInt(int64(took))
	if err := f.Check(v); err != nil {
		d.problem(n, path, "%s", err)
	}
}

func (d *decoder) fillNumber(n *yaml.Node, v reflect.Value, path string, f options.Field) {
	tags, want := []string{"!!int"}, "want a whole number"
	if v.CanFloat() {
		tags, want = []string{"!!int", "!!float"}, "want a number"
	}
	if !d.wantTag(n, path, want, tags...) {
		return
	}
	if n.Decode(v.Addr().Interface()) != nil { // the field's type cannot hold it
		d.problem(n, path, "is out of range: want %s", f.Range())
	} else if err := f.Check(v); err != nil {
		d.problem(n, path, "%s", err)
	}
}

// plain returns n as strings, numbers, bools, lists and maps.
func (d *decoder) plain(n *yaml.Node, path string) (any, bool) {
	switch n.Kind {
	case yaml.MappingNode:
		entries, ok := d.entries(n, path)
		m := map[string]any{}
		for _, e := range entries {
			value, good := d.plain(e.value, join(path, shown(e.name)))
			m[e.name], ok = value, ok && good
		}
		return m, ok
	case yaml.SequenceNode:
		ok := true
		items := make([]any, len(n.Content))
		for i, item := range n.Content {
			value, good := d.plain(item, fmt.Sprintf("%s[%d]", path, i))
			items[i], ok = value, ok && good
		}
		return items, ok
	}
	var v any
	if n.Kind == yaml.ScalarNode {
		switch n.ShortTag() {
		case "!!str":
			return n.Value, true
		case "!!int", "!!float", "!!bool":
			if n.Decode(&v) == nil && v != nil {
				return v, true
			}
		}
	}
	d.problem(n, path, "is %s: want a text, a number, true or false, a list or a mapping", kindOf(n))
	return nil, false
}
