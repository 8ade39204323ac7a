package log

import (
	"fmt"
	"strconv"

	"go.uber.org/zap/zapcore"
)

// object is the JSON of a part of an event, as package driver writes it: without
// spaces, and numbers are integers. It hands its fields to an encoder of zap's one by
// one. It panics at what is no such JSON.
type object string

// MarshalLogObject adds the fields of the object.
func (o object) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	return (&value{text: string(o)}).MarshalLogObject(enc)
}

// value is an object or an array, with which text begins.
type value struct {
	text string
	end  int // of the value in text; 0 until it was read
}

// MarshalLogObject adds the fields of the object.
func (v *value) MarshalLogObject(enc zapcore.ObjectEncoder) error { return v.addTo(enc, true) }

// MarshalLogArray adds the elements of the array.
func (v *value) MarshalLogArray(enc zapcore.ArrayEncoder) error { return v.addTo(elements{enc}, false) }

// encoder is what of an encoder of zap's an event needs.
type encoder interface {
	AddString(key, value string)
	AddInt64(key string, value int64)
	AddBool(key string, value bool)
	AddReflected(key string, value any) error
	AddObject(key string, value zapcore.ObjectMarshaler) error
	AddArray(key string, value zapcore.ArrayMarshaler) error
}

// elements is the encoder of an array, where no value has a key.
type elements struct{ zapcore.ArrayEncoder }

func (e elements) AddString(_, s string)                               { e.AppendString(s) }
func (e elements) AddInt64(_ string, n int64)                          { e.AppendInt64(n) }
func (e elements) AddBool(_ string, b bool)                            { e.AppendBool(b) }
func (e elements) AddReflected(_ string, v any) error                  { return e.AppendReflected(v) }
func (e elements) AddObject(_ string, o zapcore.ObjectMarshaler) error { return e.AppendObject(o) }
func (e elements) AddArray(_ string, a zapcore.ArrayMarshaler) error   { return e.AppendArray(a) }

func (v *value) addTo(enc encoder, keys bool) (err error) {
	s, at, key := v.text, len("{"), ""
	for err == nil && s[at] != '}' && s[at] != ']' {
		if s[at] == ',' {
			at++
		}
		if keys {
			key, at = takeText(s, at)
			at += len(":")
		}
		from := at
		switch s[from] {
		case '"':
			var text string
			text, at = takeText(s, from)
			enc.AddString(key, text)
		case '{':
			inner := &value{text: s[from:]}
			err = enc.AddObject(key, inner)
			at += inner.length()
		case '[':
			inner := &value{text: s[from:]}
			err = enc.AddArray(key, inner)
			at += inner.length()
		case 'n':
			at += len("null")
			err = enc.AddReflected(key, nil)
		case 't', 'f':
			at = endOf(s, from)
			enc.AddBool(key, s[from] == 't')
		default:
			at = endOf(s, from)
			enc.AddInt64(key, integer(s[from:at]))
		}
	}
	v.end = at + len("}")
	return err
}

func (v *value) length() int {
	if v.end == 0 { // the encoder left it out
		v.end = endOf(v.text, 0)
	}
	return v.end
}

// endOf returns where the value that begins at s[at] ends.
func endOf(s string, at int) int {
	for depth := 0; ; {
		switch s[at] {
		case '"':
			_, at = takeText(s, at)
			continue
		case '{', '[':
			depth++
		case ',':
			if depth == 0 {
				return at
			}
		case '}', ']':
			if depth <= 1 {
				return at + depth
			}
			depth--
		}
		at++
	}
}

// takeText returns the text of the string that begins at s[at], and where it ends.
func takeText(s string, at int) (text string, end int) {
	start := at + len(`"`)
	for end = start; s[end] != '"'; end++ {
		if s[end] == '\\' {
			return takeEscaped(s, at)
		}
	}
	return s[start:end], end + len(`"`)
}

// takeEscaped is takeText of a string with escapes. Those that package driver writes
// are Go's too.
func takeEscaped(s string, at int) (text string, end int) {
	for end = at + len(`"`); s[end] != '"'; end++ {
		if s[end] == '\\' {
			end++
		}
	}
	end++
	text, err := strconv.Unquote(s[at:end])
	if err != nil {
		panic(fmt.Errorf("unquoting %s: %w", s[at:end], err))
	}
	return text, end
}

func integer(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}
