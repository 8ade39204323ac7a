// Package options reads the tags of the Options of sinks, in which each default and
// each bound stands once: for a program that makes a sink, for the configuration
// file, and for the file's schema.
//
//	Timeout time.Duration `yaml:"timeout" default:"10s" min:"1ms" max:"10m" doc:"how long one write may take"`
//	Rate    float64       `yaml:"rate" default:"100" min:"0.001" max:"1000000" off:"true" doc:"events a second; negative for no limit"`
//	Mode    string        `yaml:"mode" default:"fast" enum:"fast,safe" doc:"what matters more"`
//
// A field that is 0 or empty has its default. A field with off takes a negative
// value, which turns off what it bounds. A field without a yaml tag is not for a
// file, and is left as it is. Strings, numbers, durations and every
// encoding.TextUnmarshaler can have a default.
package options

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Field is a field of a struct, as its tags say.
type Field struct {
	// Key that the field has in a file.
	Key string
	// Name that it has in Go.
	Name string
	// Index of the field, for reflect.Value.FieldByIndex.
	Index []int
	Type  reflect.Type

	Doc      string
	Required bool
	Enum     []string
	// Rest says that the field is an inlined map, which takes every other key.
	Rest bool

	// Low and High are the smallest and the largest value of a number, or of a duration in
	// nanoseconds. With Off, a negative value turns off what the field bounds.
	Low, High float64
	Off       bool

	standard string
}

var (
	known    sync.Map // the fields of a struct, by its type
	duration = reflect.TypeFor[time.Duration]()
)

// Of returns the fields of a struct that have a yaml tag; those of inlined structs
// are among them. The slice is shared, and must not be changed.
func Of(t reflect.Type) []Field {
	fields, ok := known.Load(t)
	if !ok {
		fields, _ = known.LoadOrStore(t, read(t))
	}
	return fields.([]Field) //nolint:forcetypeassert // it holds nothing else
}

func read(t reflect.Type) (fields []Field) {
	for f := range t.Fields() {
		tag, tagged := f.Tag.Lookup("yaml")
		key, flags, _ := strings.Cut(tag, ",")
		inline := slices.Contains(strings.Split(flags, ","), "inline")
		switch {
		case !f.IsExported() && (!f.Anonymous || !inline), key == "-", !tagged:
			continue
		case inline && f.Type.Kind() == reflect.Struct:
			for _, inner := range Of(f.Type) {
				inner.Index = append(slices.Clone(f.Index), inner.Index...)
				fields = append(fields, inner)
			}
			continue
		}
		field := Field{
			Key: key, Name: f.Name, Index: f.Index, Type: f.Type, Doc: f.Tag.Get("doc"), Rest: inline,
			Required: f.Tag.Get("required") == "true", Off: f.Tag.Get("off") == "true", standard: f.Tag.Get("default"),
		}
		field.Low, field.High = bounds(f)
		if words := f.Tag.Get("enum"); words != "" {
			field.Enum = strings.Split(words, ",")
		}
		fields = append(fields, field)
	}
	return fields
}

// Complete sets the fields of the struct that opts points to that are 0 or empty to
// their defaults, and checks the others. Its error joins an *Error for each field
// that is wrong.
func Complete(opts any) error {
	v := reflect.ValueOf(opts).Elem()
	var errs []error
	for _, f := range Of(v.Type()) {
		field := v.FieldByIndex(f.Index)
		if field.IsZero() {
			f.SetDefault(field)
		} else if err := f.Check(field); err != nil {
			errs = append(errs, &Error{Name: f.Name, Key: f.Key, Err: err})
		}
	}
	return errors.Join(errs...)
}

// SetDefault sets v, which is the value of the field, to its default, if there is one.
func (f Field) SetDefault(v reflect.Value) {
	if f.standard == "" {
		return
	}
	text, isText := v.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case isText:
		if err := text.UnmarshalText([]byte(f.standard)); err != nil {
			panic(fmt.Errorf("options: the default of %s: %w", f.Name, err))
		}
	case f.Type.Kind() == reflect.String:
		v.SetString(f.standard)
	case v.CanFloat():
		v.SetFloat(number(f.standard))
	case v.CanUint():
		v.SetUint(uint64(number(f.standard)))
	default:
		v.SetInt(int64(number(f.standard)))
	}
}

// Check returns what is wrong with the value v that a file or a program gives the field. A
// 0 or an empty text is wrong when the field has another default, which it would mean.
func (f Field) Check(v reflect.Value) error {
	if f.Type.Kind() == reflect.String && len(f.Enum) > 0 && !slices.Contains(f.Enum, v.String()) {
		return fmt.Errorf("is not one of the words it can be: want %s", strings.Join(f.Enum, " or "))
	}
	if err := f.checkNumber(v); err != nil || !v.IsZero() {
		return err
	}
	standard := reflect.New(f.Type).Elem()
	f.SetDefault(standard)
	switch {
	case standard.IsZero():
		return nil
	case f.Type.Kind() == reflect.String:
		return errors.New("is empty: give it a value or leave it out")
	}
	return errors.New("is 0, which stands for the default: give it a value or leave it out")
}

func (f Field) checkNumber(v reflect.Value) error {
	var is float64
	switch {
	case len(f.Enum) > 0: // a number in Go, and a word in the file
		return nil
	case v.CanInt():
		is = float64(v.Int())
	case v.CanUint():
		is = float64(v.Uint())
	case v.CanFloat():
		is = v.Float()
	default:
		return nil
	}
	switch {
	case math.IsNaN(is) || math.IsInf(is, 0):
	case f.Off && is < 0, is >= f.Low && is <= f.High:
		return nil
	}
	return errors.New("is out of range: want " + f.Range())
}

// bounds returns the tags min and max, or what the type can hold. A duration is not
// negative.
func bounds(f reflect.StructField) (low, high float64) {
	low, high = math.Inf(-1), math.Inf(1)
	switch t := f.Type; t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		low, high = -math.Ldexp(1, t.Bits()-1), math.Ldexp(1, t.Bits()-1)-1
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		low, high = 0, math.Ldexp(1, t.Bits())-1
	}
	if f.Type == duration {
		low = 0
	}
	if tag := f.Tag.Get("min"); tag != "" {
		low = number(tag)
	}
	if tag := f.Tag.Get("max"); tag != "" {
		high = number(tag)
	}
	return low, high
}

// Range says which values the field can have, as in "1ms to 10m0s".
func (f Field) Range() string {
	text := func(bound float64) string {
		if f.Type == duration {
			return time.Duration(bound).String()
		}
		return strconv.FormatFloat(bound, 'f', -1, 64)
	}
	var said string
	switch {
	case math.IsInf(f.Low, -1) && math.IsInf(f.High, 1):
		said = "a finite number"
	case f.High >= math.MaxInt64:
		said = "at least " + text(f.Low)
	default:
		said = text(f.Low) + " to " + text(f.High)
	}
	if f.Off {
		said += ", or a negative value to turn it off"
	}
	return said
}

// number reads the number or the duration of a tag. It panics for anything else, which is a
// mistake of the programmer.
func number(tag string) float64 {
	if d, err := time.ParseDuration(tag); err == nil {
		return float64(d)
	}
	n, err := strconv.ParseFloat(tag, 64)
	if err != nil {
		panic(fmt.Errorf("options: the tag %q is neither a number nor a duration", tag))
	}
	return n
}

// Error is what is wrong with one field.
type Error struct {
	// Name of the field in Go; "" where only its key is known.
	Name string
	// Key of the field in a file.
	Key string
	// Err says what is wrong, and quotes no secret.
	Err error
}

// Error begins with the name of the field in Go, or else with its key.
func (e *Error) Error() string {
	if e.Name == "" {
		return e.Key + ": " + e.Err.Error()
	}
	return "Options." + e.Name + ": " + e.Err.Error()
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// At returns the Error of the field of opts, a struct, that has this name in Go.
func At(opts any, name, format string, args ...any) error {
	for _, f := range Of(reflect.TypeOf(opts)) {
		if f.Name == name {
			return &Error{Name: name, Key: f.Key, Err: fmt.Errorf(format, args...)}
		}
	}
	panic(fmt.Errorf("options: %T has no field %s with a yaml tag", opts, name))
}

// Split returns the errors that an error of Complete or Validate joins.
func Split(err error) (all []*Error) {
	switch e := err.(type) { //nolint:errorlint // what an Error wraps is its own affair
	case nil:
		return nil
	case *Error:
		return []*Error{e}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			all = append(all, Split(inner)...)
		}
		return all
	}
	return []*Error{{Err: err}}
}
