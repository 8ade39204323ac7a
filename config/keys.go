package config

import (
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/paddock-dev/audit/internal/options"
)

var (
	timeType        = reflect.TypeFor[time.Time]()
	durationType    = reflect.TypeFor[time.Duration]()
	refType         = reflect.TypeFor[Ref]()
	onFailureType   = reflect.TypeFor[onFailure]()
	nodeType        = reflect.TypeFor[yaml.Node]()
	valueType       = reflect.TypeFor[Value]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	// textLike is how the configuration types of Prometheus read themselves.
	textLike = reflect.TypeFor[interface{ UnmarshalYAML(func(any) error) error }]()
)

// shape is the form in which a file writes a value. Decoder, schema and listing all go
// by the shape of a Go type.
type shape int

const (
	noShape    shape = iota // a file cannot write it
	asNode                  // kept as a yaml.Node, and decoded later
	asValue                 // a Value takes what stands there
	asDuration              // "3s"
	asText                  // a string, or a type that reads itself from one
	asBool
	asNumber
	asPointer
	asStruct
	asMap
	asList
	asAny
)

func shapeOf(t reflect.Type) shape {
	switch {
	case t == nodeType:
		return asNode
	case reflect.PointerTo(t).Implements(valueType):
		return asValue
	case t == durationType:
		return asDuration
	case readsItself(t):
		return asText
	}
	switch t.Kind() {
	case reflect.String:
		return asText
	case reflect.Bool:
		return asBool
	case reflect.Pointer:
		return asPointer
	case reflect.Struct:
		return asStruct
	case reflect.Slice:
		return asList
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return asMap
		}
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return asAny
		}
	}
	if zero := reflect.Zero(t); zero.CanInt() || zero.CanUint() || zero.CanFloat() {
		return asNumber
	}
	return noShape
}

// readsItself reports that t is written as one text, which it reads itself: as an
// encoding.TextUnmarshaler does, or Prometheus' URL.
func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(textUnmarshaler) ||
		p.Implements(textLike) && (t.Kind() != reflect.Struct || len(options.Of(t)) == 0)
}

// supported says which field of t the decoder cannot fill.
func supported(t reflect.Type, within []reflect.Type) error {
	if slices.Contains(within, t) {
		return fmt.Errorf("%s holds itself", t)
	}
	within = append(within, t)
	switch shapeOf(t) {
	case noShape:
		return fmt.Errorf("a %s cannot be written in a file", t)
	case asPointer, asList, asMap:
		return supported(t.Elem(), within)
	case asStruct:
		for _, f := range options.Of(t) {
			if err := supported(f.Type, within); err != nil {
				return fmt.Errorf("key %s: %w", f.Key, err)
			}
		}
	}
	return nil
}

// setDefaults gives the fields of a struct that are 0 or empty their defaults.
func setDefaults(v reflect.Value) {
	for _, f := range options.Of(v.Type()) {
		field := v.FieldByIndex(f.Index)
		if field.IsZero() {
			f.SetDefault(field)
		}
		if shapeOf(f.Type) == asStruct {
			setDefaults(field)
		}
	}
}

// defaultOf returns the value that a field has before the file is read, in the form of the
// file.
func defaultOf(v reflect.Value) (any, bool) {
	if v.IsZero() || hidesItself(v.Type()) {
		return nil, false
	}
	switch shapeOf(v.Type()) {
	case asText, asDuration, asNumber, asBool:
		if text, ok := v.Interface().(fmt.Stringer); ok {
			return text.String(), true
		}
		return v.Interface(), true
	}
	return nil, false
}

// Key is one key of a type of sink, for listings.
type Key struct {
	// Name of the key, with those around it: "http.basic_auth.username".
	Name string
	// Kind of its value: "text", "duration", "list of sinks".
	Kind string
	// Default as the file would put it; "" for none.
	Default string
	// Required says that a file without the key is refused.
	Required bool
	// Doc says what the key is for.
	Doc string
}

// Keys returns the keys that a sink of this type takes beside type and check.
func (t Type) Keys() []Key { return keysUnder("", reflect.ValueOf(t.New()).Elem()) }

func keysUnder(path string, v reflect.Value) (all []Key) {
	setDefaults(v)
	for _, f := range options.Of(v.Type()) {
		name, inner := join(path, f.Key), f.Type
		if f.Rest {
			name = join(path, "NAME")
		}
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if shapeOf(inner) == asStruct && len(options.Of(inner)) > 0 {
			all = append(all, keysUnder(name, reflect.New(inner).Elem())...)
			continue
		}
		k := Key{Name: name, Kind: kindOfType(inner, f.Enum), Required: f.Required, Doc: f.Doc}
		if value, ok := defaultOf(v.FieldByIndex(f.Index)); ok {
			k.Default = fmt.Sprint(value)
		}
		all = append(all, k)
	}
	return all
}

func kindOfType(t reflect.Type, enum []string) string {
	switch {
	case len(enum) > 0:
		return strings.Join(enum, " | ")
	case t == refType:
		return "sink"
	case hidesItself(t):
		return "secret"
	}
	shape := shapeOf(t)
	if shape == asList {
		return "list of " + kindOfType(t.Elem(), nil) + "s"
	}
	return cmp.Or(kinds[shape], "mapping")
}

// kinds is how listings name a value of each shape; others are mappings.
var kinds = map[shape]string{
	asValue:    "see description",
	asDuration: "duration",
	asText:     "text",
	asBool:     "true | false",
	asNumber:   "number",
	asAny:      "any",
}

// hidesItself reports that t is a text that its author made a secret, as Prometheus'
// Secret is: its JSON does not show it.
func hidesItself(t reflect.Type) bool {
	if t.Kind() != reflect.String {
		return false
	}
	v := reflect.New(t).Elem()
	const probe = "probe"
	v.SetString(probe)
	out, err := json.Marshal(v.Interface())
	return err == nil && !strings.Contains(string(out), probe)
}
