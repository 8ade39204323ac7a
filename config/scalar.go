package config

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/paddock-dev/audit/internal/options"
)

// kindOf names the kind of a node for a message, without its value.
func kindOf(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		return "an alias"
	}
	return cmp.Or(tagKinds[n.ShortTag()], "a value of another kind")
}

var tagKinds = map[string]string{
	"!!map": "a mapping", "!!seq": "a list",
	"!!str": "a text", "!!int": "a number", "!!float": "a number", "!!bool": "true or false", "!!null": "empty",
	"!!timestamp": "a time",
}

// textForms says how types that read themselves are written, by their names.
var textForms = map[string]string{
	"URL":        "a URL, such as http://proxy:3128",
	"TLSVersion": "TLS10, TLS11, TLS12 or TLS13",
}

// scalarForm returns the YAML tags that a value of type t may have, the message for a
// value with another tag, and the message for a value that cannot be decoded. Texts are never
// taken for numbers nor numbers for texts: 0123 and 1e3 would not come out as they
// were written.
func scalarForm(n *yaml.Node, t reflect.Type, f options.Field) (tags []string, want, bad string) {
	switch shapeOf(t) {
	case asBool:
		want = "want true or false"
		return []string{"!!bool"}, want, want
	case asDuration:
		want = "want a duration with its unit, such as 500ms, 3s or 1m30s"
		return []string{"!!str"}, want, want
	case asNumber:
		bad = "is out of range: want " + f.Range() // the field's type cannot hold it
		if reflect.Zero(t).CanFloat() {
			return []string{"!!int", "!!float"}, "want a number", bad
		}
		return []string{"!!int"}, "want a whole number", bad
	}
	want = "want a text"
	switch {
	case t == timeType:
		want = "want a time, such as 2026-01-31T00:00:00Z"
		return []string{"!!timestamp", "!!str"}, want, want
	case t == refType:
		want = "want the name of a sink"
	case n.Kind == yaml.ScalarNode:
		want = "want a text: put it in quotes"
	}
	return []string{"!!str"}, want, "cannot be read: want " + cmp.Or(textForms[t.Name()], "the form that "+t.String()+" has")
}

// fillScalar decodes a single value. The error of a type that reads itself is dropped,
// because it may quote the value.
func (d *decoder) fillScalar(n *yaml.Node, v reflect.Value, path string, f options.Field) {
	tags, want, bad := scalarForm(n, v.Type(), f)
	switch {
	case n.Kind != yaml.ScalarNode || !slices.Contains(tags, n.ShortTag()):
		d.problem(n.Line, path, "is %s: %s", kindOf(n), want)
		return
	case len(f.Enum) > 0 && !slices.Contains(f.Enum, n.Value):
		hint := ""
		if shown(n.Value) == n.Value {
			hint = options.Nearest(n.Value, f.Enum)
		}
		d.problem(n.Line, path, "is not one of the words it can be%s", cmp.Or(hint, ": want "+strings.Join(f.Enum, " or ")))
		return
	case f.Required && n.Value == "":
		d.problem(n.Line, path, "is empty%s", because(f.Doc))
		return
	case guarded(n.Decode, v.Addr().Interface()) != nil || v.Type() == durationType && strings.HasPrefix(n.Value, "+"):
		d.problem(n.Line, path, "%s", bad)
		return
	}
	if err := f.Check(v); err != nil {
		d.problem(n.Line, path, "%s", err)
		return
	}
	switch {
	case v.Type() == refType:
		d.refs = append(d.refs, reference{name: Ref(n.Value), path: path})
	case hidesItself(v.Type()) && n.Value != "":
		d.warningAt(path, "is a secret in the clear: put it into a file that only the component can read, and name that"+fileKey(path))
	case passwordInURL.MatchString(n.Value):
		d.warningAt(path, "holds a password in the clear: take it out of the URL")
	}
}

var passwordInURL = regexp.MustCompile(`://[^/@\s:]*:[^/@\s]+@`)

// fileKey names the key that takes the path of a file with the secret. By custom, it is the
// key of the secret with _file. An item of a list or of a group has none.
func fileKey(path string) string {
	name := path[strings.LastIndexByte(path, '.')+1:]
	if strings.ContainsAny(name, "[(") {
		return ""
	}
	return " under " + name + "_file"
}

// plain returns n as strings, numbers, bools, lists and maps. It is nil after a
// problem.
func (d *decoder) plain(n *yaml.Node, path string) any {
	const longest = 1 << 10 // of a path
	if len(path) > longest {
		d.problem(n.Line, path, "is nested too deeply")
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for _, e := range d.entries(n, path) {
			m[e.name] = d.plain(e.value, join(path, shown(e.name)))
		}
		return m
	case yaml.SequenceNode:
		items := make([]any, len(n.Content))
		for i, item := range n.Content {
			items[i] = d.plain(item, fmt.Sprintf("%s[%d]", path, i))
		}
		return items
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!str":
			return n.Value
		case "!!int", "!!float", "!!bool":
			var v any
			if n.Decode(&v) == nil && v != nil {
				return v
			}
		}
	}
	d.problem(n.Line, path, "is %s: want a text, a number, true or false, a list or a mapping", kindOf(n))
	return nil
}
