package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/paddock-dev/audit/internal/options"
)

var (
	durationType  = reflect.TypeFor[time.Duration]()
	refType       = reflect.TypeFor[Ref]()
	onFailureType = reflect.TypeFor[OnFailure]()
	nodeType      = reflect.TypeFor[yaml.Node]()
	valueType     = reflect.TypeFor[Value]()
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()

	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	// textLike is how the configuration types of Prometheus read themselves.
	textLike = reflect.TypeFor[interface{ UnmarshalYAML(func(any) error) error }]()
)

// setDefaults gives the fields of a struct that are 0 or empty their defaults.
func setDefaults(v reflect.Value) {
	for _, f := range options.Of(v.Type()) {
		field := v.FieldByIndex(f.Index)
		if field.IsZero() {
			f.SetDefault(field)
		}
		if field.Kind() == reflect.Struct && !isText(f.Type) && !isValue(f.Type) {
			setDefaults(field)
		}
	}
}

// isText reports that t is written as one text and reads it itself: as an
// encoding.TextUnmarshaler, or as Prometheus' URL does.
func isText(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	if p.Implements(textUnmarshaler) {
		return true
	}
	return p.Implements(textLike) && (t.Kind() != reflect.Struct || len(options.Of(t)) == 0)
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
		for _, f := range options.Of(t) {
			if err := supported(f.Type, within); err != nil {
				return fmt.Errorf("key %s: %w", f.Key, err)
			}
		}
		return nil
	}
	return fmt.Errorf("a %s cannot be written in a file", t)
}
