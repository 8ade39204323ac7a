package config

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/paddock-dev/audit/internal/metrics"
	"github.com/paddock-dev/audit/internal/options"
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
	top := structSchema(reflect.ValueOf(&header{}).Elem())
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"] = Kind
	properties := top["properties"].(schema)
	maps.Copy(properties["kinds"].(schema), schema{"maxItems": metrics.MaxKinds})
	var sinks []any
	for _, name := range t.names() {
		sinks = append(sinks, t.byName[name].schema())
	}
	maps.Copy(properties["sinks"].(schema), schema{
		"type":                 "object",
		"propertyNames":        schema{"pattern": namePattern, "maxLength": maxNameLength},
		"additionalProperties": schema{"oneOf": sinks},
	})
	if t.redaction == nil {
		delete(properties, "redactions")
	} else {
		maps.Copy(properties["redactions"].(schema), schema{
			"type":                 "object",
			"propertyNames":        schema{"pattern": namePattern, "maxLength": maxNameLength},
			"additionalProperties": structSchema(reflect.ValueOf(t.redaction()).Elem()),
		})
	}
	maps.Copy(properties["components"].(schema), schema{
		"type":                 "object",
		"minProperties":        1,
		"propertyNames":        schema{"pattern": labelPattern, "maxLength": maxNameLength},
		"additionalProperties": structSchema(reflect.ValueOf(&component{}).Elem()),
	})
	out, err := json.MarshalIndent(top, "", "  ")
	return append(out, '\n'), err
}

func (t Type) schema() schema {
	s := structSchema(reflect.ValueOf(t.New()).Elem())
	common := structSchema(reflect.ValueOf(&sinkHeader{}).Elem())
	properties := s["properties"].(schema)
	maps.Copy(properties, common["properties"].(schema))
	properties[keyType] = schema{"const": t.Name, "description": t.Doc}
	required, _ := s["required"].([]string)
	s["required"] = append([]string{keyType}, required...)
	if t.Doc != "" {
		s["description"] = t.Doc
	}
	return s
}

// structSchema describes a struct. The values that its fields have are the defaults.
func structSchema(v reflect.Value) schema {
	properties := schema{}
	s := schema{"type": "object", "additionalProperties": false, "properties": properties}
	var required []string
	setDefaults(v)
	for _, f := range options.Of(v.Type()) {
		if f.Rest {
			s["additionalProperties"] = typeSchema(options.Field{Type: f.Type.Elem()})
			continue
		}
		property := typeSchema(f)
		if f.Doc != "" {
			property["description"] = f.Doc
		}
		if text, ok := defaultOf(v.FieldByIndex(f.Index)); ok {
			property["default"] = text
		}
		properties[f.Key] = property
		if f.Required {
			required = append(required, f.Key)
		}
	}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func typeSchema(f options.Field) schema {
	t := f.Type
	switch shapeOf(t) {
	case asValue:
		return reflect.New(t).Interface().(Value).JSONSchema()
	case asDuration:
		pattern := durationPattern
		if f.Off {
			pattern = "^-?" + strings.TrimPrefix(pattern, "^")
		}
		return schema{"type": "string", "pattern": pattern}
	case asText:
		return textSchema(f)
	case asBool:
		return schema{"type": "boolean"}
	case asNumber:
		return numberSchema(f)
	case asPointer:
		f.Type = t.Elem()
		return typeSchema(f)
	case asStruct:
		s := structSchema(reflect.New(t).Elem())
		if t == onFailureType {
			return schema{"oneOf": []any{schema{"enum": reactions}, s}}
		}
		return s
	case asMap:
		return schema{"type": "object", "additionalProperties": typeSchema(options.Field{Type: t.Elem()})}
	case asList:
		s := schema{"type": "array", "items": typeSchema(options.Field{Type: t.Elem(), Enum: f.Enum})}
		if f.Required {
			s["minItems"] = 1
		}
		return s
	case asAny:
		return schema{"not": schema{"type": "null"}}
	}
	return schema{}
}

func textSchema(f options.Field) schema {
	if f.Type == refType {
		return schema{"type": "string", "pattern": namePattern, "maxLength": maxNameLength}
	}
	s := schema{"type": "string"}
	if f.Type == timeType {
		s["format"] = "date-time"
	}
	if len(f.Enum) > 0 {
		s["enum"] = f.Enum
	}
	if f.Required {
		s["minLength"] = 1
	}
	return s
}

func numberSchema(f options.Field) schema {
	s, bounds := schema{"type": "integer"}, schema{}
	if reflect.Zero(f.Type).CanFloat() {
		s["type"] = "number"
	}
	if f.Low > math.MinInt64 {
		bounds["minimum"] = json.Number(strconv.FormatFloat(f.Low, 'f', -1, 64))
	}
	if f.High < math.MaxInt64 {
		bounds["maximum"] = json.Number(strconv.FormatFloat(f.High, 'f', -1, 64))
	}
	if f.Off {
		s["anyOf"] = []any{bounds, schema{"exclusiveMaximum": 0}}
	} else {
		maps.Copy(s, bounds)
	}
	return s
}
