package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

var (
	durationType  = reflect.TypeFor[time.Duration]()
	refType       = reflect.TypeFor[Ref]()
	onFailureType = reflect.TypeFor[OnFailure]()
	nodeType      = reflect.TypeFor[yaml.Node]()
	valueType     = reflect.TypeFor[Value]()
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	// textLike is how the configuration types of Prometheus read themselves.
	textLike = reflect.TypeFor[interface{ UnmarshalYAML(func(any) error) error }]()
)

// key is one key of a struct, as its tags say.
type key struct {
	name     string
	index    []int
	typ      reflect.Type
	doc      string
	required bool
	min, max string
	enum     []string
	off      bool // a negative duration turns it off
	rest     bool // an inlined map: every key that is not another's
}

// keysOf returns the keys of a struct; those of inlined structs are among them.
func keysOf(t reflect.Type) (keys []key) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("yaml")
		name, options, _ := strings.Cut(tag, ",")
		inline := slices.Contains(strings.Split(options, ","), "inline")
		switch {
		case !f.IsExported() && (!f.Anonymous || !inline), name == "-", !tagged:
			continue
		case inline && f.Type.Kind() == reflect.Struct:
			for _, k := range keysOf(f.Type) {
				k.index = append([]int{i}, k.index...)
				keys = append(keys, k)
			}
			continue
		}
		k := key{
			name: name, index: []int{i}, typ: f.Type, doc: f.Tag.Get("doc"), required: f.Tag.Get("required") == "true",
			min: f.Tag.Get("min"), max: f.Tag.Get("max"), off: f.Tag.Get("off") == "true", rest: inline,
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			k.enum = strings.Split(enum, ",")
		}
		keys = append(keys, k)
	}
	return keys
}

// isText reports that t is written as one text and reads it itself, as
// Prometheus' URL does.
func isText(t reflect.Type) bool {
	if !reflect.PointerTo(t).Implements(textLike) {
		return false
	}
	return t.Kind() != reflect.Struct || len(keysOf(t)) == 0
}

// isValue reports that t implements Value, on its pointer.
func isValue(t reflect.Type) bool { return reflect.PointerTo(t).Implements(valueType) }

// supported says which field of t the decoder cannot fill.
func supported(t reflect.Type, within []reflect.Type) error {
	if slices.Contains(within, t) {
		return fmt.Errorf("%s holds itself", t)
	}
	if t == durationType || t == onFailureType || isValue(t) || isText(t) {
		return nil
	}
	within = append(within, t)
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return nil
	case reflect.Pointer, reflect.Slice:
		return supported(t.Elem(), within)
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return supported(t.Elem(), within)
		}
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return nil
		}
	case reflect.Struct:
		for _, k := range keysOf(t) {
			if err := supported(k.typ, within); err != nil {
				return fmt.Errorf("key %s: %w", k.name, err)
			}
		}
		return nil
	}
	return fmt.Errorf("a %s cannot be written in a file", t)
}
