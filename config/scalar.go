package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
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
func (d *decoder) fillScalar(n *yaml.Node, v reflect.Value, path string, k key) bool {
	before := len(d.problems)
	t := v.Type()
	switch {
	case t == durationType:
		d.fillDuration(n, v, path, k)
	case t.Kind() == reflect.Bool:
		if d.wantTag(n, path, "want true or false", "!!bool") {
			var b bool
			if n.Decode(&b) != nil {
				d.problem(n, path, "want true or false")
			}
			v.SetBool(b)
		}
	case t.Kind() == reflect.String || isText(t):
		d.fillText(n, v, path, k)
	default:
		d.fillNumber(n, v, path, k)
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

func (d *decoder) fillText(n *yaml.Node, v reflect.Value, path string, k key) {
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
	case len(k.enum) > 0 && !slices.Contains(k.enum, n.Value):
		hint := ""
		if shown(n.Value) == n.Value {
			hint = nearest(n.Value, k.enum)
		}
		if hint == "" {
			hint = ": want " + strings.Join(k.enum, " or ")
		}
		d.problem(n, path, "is not one of the words it can be%s", hint)
		return
	case k.required && n.Value == "":
		d.problem(n, path, "is empty%s", because(k.doc))
		return
	case isText(v.Type()):
		if !readText(v, n.Value) {
			d.problem(n, path, "cannot be read: want %s", cmp.Or(textForms[v.Type().Name()], "the form that "+v.Type().String()+" has"))
			return
		}
	default:
		v.SetString(n.Value)
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

func (d *decoder) fillDuration(n *yaml.Node, v reflect.Value, path string, k key) {
	const want = "want a duration with its unit, such as 500ms, 3s or 1m30s"
	if !d.wantTag(n, path, want, "!!str") {
		return
	}
	took, err := time.ParseDuration(n.Value)
	if err != nil || strings.HasPrefix(n.Value, "+") {
		d.problem(n, path, "%s", want)
		return
	}
	low, high := bounds(k)
	if (took < low || took > high) && (took >= 0 || !k.off) {
		d.problem(n, path, "is out of range: want %s", durationRange(low, high))
		return
	}
	v.SetInt(int64(took))
}

// bounds returns what min and max say of a duration; none is negative.
func bounds(k key) (low, high time.Duration) {
	high = math.MaxInt64
	if k.min != "" {
		low, _ = time.ParseDuration(k.min)
	}
	if k.max != "" {
		high, _ = time.ParseDuration(k.max)
	}
	return low, high
}

func durationRange(low, high time.Duration) string {
	if high == math.MaxInt64 {
		return fmt.Sprintf("at least %s", low)
	}
	return fmt.Sprintf("%s to %s", low, high)
}

func (d *decoder) fillNumber(n *yaml.Node, v reflect.Value, path string, k key) {
	tags, want := []string{"!!int"}, "want a whole number"
	if v.CanFloat() {
		tags, want = []string{"!!int", "!!float"}, "want a number"
	}
	if !d.wantTag(n, path, want, tags...) {
		return
	}
	low, high := numberBounds(k, v.Type())
	// Decode refuses what the field's type cannot hold.
	into := reflect.New(v.Type())
	if n.Decode(into.Interface()) != nil {
		d.problem(n, path, "is out of range: want %s", numberRange(low, high))
		return
	}
	var number float64
	switch e := into.Elem(); {
	case e.CanInt():
		number = float64(e.Int())
	case e.CanUint():
		number = float64(e.Uint())
	default:
		number = e.Float()
	}
	if math.IsNaN(number) || math.IsInf(number, 0) || number < low || number > high {
		d.problem(n, path, "is out of range: want %s", numberRange(low, high))
		return
	}
	v.Set(into.Elem())
}

func numberBounds(k key, t reflect.Type) (low, high float64) {
	low, high = math.Inf(-1), math.Inf(1)
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		low, high = -math.Ldexp(1, t.Bits()-1), math.Ldexp(1, t.Bits()-1)-1
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		low, high = 0, math.Ldexp(1, t.Bits())-1
	}
	if k.min != "" {
		low, _ = strconv.ParseFloat(k.min, 64)
	}
	if k.max != "" {
		high, _ = strconv.ParseFloat(k.max, 64)
	}
	return low, high
}

func numberRange(low, high float64) string {
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	switch {
	case math.IsInf(low, -1) && math.IsInf(high, 1):
		return "a finite number"
	case high >= math.MaxInt64:
		return "at least " + number(low)
	}
	return number(low) + " to " + number(high)
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
