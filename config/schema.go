package config

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paddock-dev/audit/internal/metrics"
)

type schema = map[string]any

const (
	namePattern     = `^[A-Za-z0-9_]([-_.A-Za-z0-9]*[A-Za-z0-9_])?$`
	labelPattern    = `^(\*|[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)$`
	durationPattern = `^(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`
	kindPattern     = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	maxNameLength   = 63
)

// JSONSchema returns the JSON Schema of the file with these types, so that
// editors complete and check it. It is as strict as a schema can be: references,
// cycles and levels are left to Parse.
func (t *Types) JSONSchema() ([]byte, error) {
	if t == nil || len(t.byName) == 0 {
		return nil, errNoTypes
	}
	top := structSchema(reflect.ValueOf(header{Check: checkFail}))
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"] = Kind
	properties := top["properties"].(schema)
	extend(properties["kinds"].(schema), schema{"maxItems": metrics.MaxKinds})
	var sinks []any
	for _, name := range t.Names() {
		sinks = append(sinks, t.byName[name].schema())
	}
	extend(properties["sinks"].(schema), schema{
		"type":                 "object",
		"propertyNames":        schema{"pattern": namePattern, "maxLength": maxNameLength},
		"additionalProperties": schema{"oneOf": sinks},
	})
	extend(properties["components"].(schema), schema{
		"type":                 "object",
		"minProperties":        1,
		"propertyNames":        schema{"pattern": labelPattern, "maxLength": maxNameLength},
		"additionalProperties": structSchema(reflect.ValueOf(Component{})),
	})
	out, err := json.MarshalIndent(top, "", "  ")
	return append(out, '\n'), err
}

func extend(s, with schema) {
	for k, v := range with {
		s[k] = v
	}
}

func (t Type) schema() schema {
	s := structSchema(reflect.ValueOf(t.New()).Elem())
	common := structSchema(reflect.ValueOf(sinkHeader{}))
	properties := s["properties"].(schema)
	extend(properties, common["properties"].(schema))
	properties[keyType] = schema{"const": t.Name, "description": t.Doc}
	required, _ := s["required"].([]string)
	s["required"] = append([]string{keyType}, required...)
	if t.Doc != "" {
		s["description"] = t.Doc
	}
	return s
}

// structSchema describes a struct; what its fields hold are the defaults.
func structSchema(v reflect.Value) schema {
	properties := schema{}
	s := schema{"type": "object", "additionalProperties": false, "properties": properties}
	var required []string
	for _, k := range keysOf(v.Type()) {
		field := v.FieldByIndex(k.index)
		if k.rest {
			s["additionalProperties"] = typeSchema(k.typ.Elem(), key{})
			continue
		}
		property := typeSchema(k.typ, k)
		if k.doc != "" {
			property["description"] = k.doc
		}
		if text, ok := defaultOf(field); ok {
			property["default"] = text
		}
		properties[k.name] = property
		if k.required {
			required = append(required, k.name)
		}
	}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// defaultOf returns what a field holds before the file is read, as the file would
// put it.
func defaultOf(v reflect.Value) (any, bool) {
	switch {
	case v.IsZero() || v.Type() == onFailureType || hidesItself(v.Type()):
		return nil, false
	case v.Type() == durationType:
		return time.Duration(v.Int()).String(), true
	}
	switch v.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return v.Interface(), true
	}
	return nil, false
}

func typeSchema(t reflect.Type, k key) schema {
	switch {
	case t == nodeType:
		return schema{}
	case isValue(t):
		return reflect.New(t).Interface().(Value).JSONSchema()
	case t == onFailureType:
		return schema{"oneOf": []any{schema{"enum": reactions}, structSchema(reflect.New(t).Elem())}}
	case t == durationType:
		pattern := durationPattern
		if k.off {
			pattern = "^-?" + strings.TrimPrefix(pattern, "^")
		}
		return schema{"type": "string", "pattern": pattern}
	case t == refType:
		return schema{"type": "string", "pattern": namePattern, "maxLength": maxNameLength}
	case isText(t):
		return textSchema(k)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem(), k)
	case reflect.Struct:
		return structSchema(reflect.New(t).Elem())
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": typeSchema(t.Elem(), key{})}
	case reflect.Slice:
		s := schema{"type": "array", "items": typeSchema(t.Elem(), key{enum: k.enum})}
		if k.required {
			s["minItems"] = 1
		}
		return s
	case reflect.Interface:
		return schema{"not": schema{"type": "null"}}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.String:
		return textSchema(k)
	}
	return numberSchema(t, k)
}

func textSchema(k key) schema {
	s := schema{"type": "string"}
	if len(k.enum) > 0 {
		s["enum"] = slices.Clone(k.enum)
	}
	if k.required {
		s["minLength"] = 1
	}
	return s
}

func numberSchema(t reflect.Type, k key) schema {
	s := schema{"type": "integer"}
	if t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64 {
		s["type"] = "number"
	}
	low, high := numberBounds(k, t)
	if k.min != "" || !math.IsInf(low, -1) && low > math.MinInt64 {
		s["minimum"] = json.Number(strconv.FormatFloat(low, 'f', -1, 64))
	}
	if k.max != "" || high < math.MaxInt32 {
		s["maximum"] = json.Number(strconv.FormatFloat(high, 'f', -1, 64))
	}
	return s
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

// All returns the types, sorted by name.
func (t *Types) All() []Type {
	all := make([]Type, 0, len(t.byName))
	for _, name := range t.Names() {
		all = append(all, t.byName[name])
	}
	return all
}

func keysUnder(path string, v reflect.Value) (all []Key) {
	for _, k := range keysOf(v.Type()) {
		name := join(path, k.name)
		if k.rest {
			name = join(path, "NAME")
		}
		inner := k.typ
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && !isText(inner) && !isValue(inner) && len(keysOf(inner)) > 0 {
			all = append(all, keysUnder(name, reflect.New(inner).Elem())...)
			continue
		}
		d := Key{Name: name, Kind: kindOfType(inner, k), Required: k.required, Doc: k.doc}
		if value, ok := defaultOf(v.FieldByIndex(k.index)); ok {
			text, _ := json.Marshal(value)
			d.Default = string(text)
			if s, isString := value.(string); isString {
				d.Default = s
			}
		}
		all = append(all, d)
	}
	return all
}

func kindOfType(t reflect.Type, k key) string {
	switch {
	case len(k.enum) > 0:
		text := ""
		for i, word := range k.enum {
			if i > 0 {
				text += " | "
			}
			text += word
		}
		return text
	case t == durationType:
		return "duration"
	case t == refType:
		return "sink"
	case isValue(t):
		return "see description"
	case hidesItself(t):
		return "secret"
	case isText(t):
		return "text"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true | false"
	case reflect.Slice:
		return "list of " + kindOfType(t.Elem(), key{}) + "s"
	case reflect.Map:
		return "mapping"
	case reflect.Interface:
		return "any"
	}
	return "number"
}
