package eventjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// ParseStrict is Parse for a caller that checks the event against a proof. It takes only JSON
// that means the same to every reader: it refuses a key that stands twice in an object, a key that events do not have
// or that is one of theirs in other letters, and a time with a fraction of a second. Keys that
// stand before all of the event's own are those of a log, and may be any.
func ParseStrict(data []byte) (*v1alpha1.AuditEvent, error) {
	both := &parsed{}
	if both.event.parse(data) {
		both.take()
	} else if err := both.reflect(data); err != nil {
		return nil, err
	}
	ae := &both.object
	if ae.Spec.Timestamp.Nanosecond() != 0 || ae.Spec.WindowStart != nil && ae.Spec.WindowStart.Nanosecond() != 0 ||
		ae.Spec.WindowEnd != nil && ae.Spec.WindowEnd.Nanosecond() != 0 {
		return nil, errors.New("a time in spec has a fraction of a second, which no stored event has")
	}
	return ae, nil
}

func (p *parsed) reflect(data []byte) error {
	p.object = v1alpha1.AuditEvent{}
	if err := json.Unmarshal(data, &p.object); err != nil {
		return err
	}
	w := walker{rest: data}
	return w.value(eventShape(), "")
}

// shape is what the JSON of a Go type may hold.
type shape struct {
	// fields of an object; nil for one with any keys.
	fields map[string]*shape
	// element of an array.
	element *shape
	// log says that other keys may stand before the fields.
	log bool
}

// anything is the shape of a value in which only keys that stand twice are refused.
var anything = &shape{}

var eventShape = sync.OnceValue(func() *shape {
	s := shapeOf(reflect.TypeFor[v1alpha1.AuditEvent]())
	s.log = true
	return s
})

func shapeOf(t reflect.Type) *shape {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return anything
	}
	switch t.Kind() {
	case reflect.Slice:
		return &shape{element: shapeOf(t.Elem())}
	case reflect.Struct:
		s := &shape{fields: map[string]*shape{}}
		s.addFields(t)
		return s
	}
	return anything
}

func (s *shape) addFields(t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		switch name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name {
		case "-":
		case "":
			s.addFields(f.Type) // inline
		default:
			s.fields[name] = shapeOf(f.Type)
		}
	}
}

// walker goes through JSON that is known to be valid. Each of its methods takes what it is named
// for off rest.
type walker struct{ rest []byte }

func (w *walker) space() {
	for len(w.rest) > 0 && (w.rest[0] == ' ' || w.rest[0] == '\t' || w.rest[0] == '\n' || w.rest[0] == '\r') {
		w.rest = w.rest[1:]
	}
}

// value is any value. path says where it stands.
func (w *walker) value(s *shape, path string) error {
	w.space()
	switch w.rest[0] {
	case '{':
		return w.object(s, path)
	case '[':
		element, n := s.element, -1
		if element == nil {
			element = anything
		}
		return w.each(']', func() error {
			n++
			return w.value(element, fmt.Sprintf("%s[%d]", path, n))
		})
	case '"':
		w.text()
	default:
		n := slices.IndexFunc(w.rest, func(c byte) bool { return strings.IndexByte(",]} \t\n\r", c) >= 0 })
		if n < 0 {
			n = len(w.rest)
		}
		w.rest = w.rest[n:]
	}
	return nil
}

// each is an array or an object. It calls member where each of its members begins.
func (w *walker) each(end byte, member func() error) error {
	next := byte(',')
	w.rest = w.rest[1:] // the bracket
	if w.space(); w.rest[0] == end {
		next, w.rest = end, w.rest[1:]
	}
	for next != end {
		w.space()
		if err := member(); err != nil {
			return err
		}
		w.space()
		next, w.rest = w.rest[0], w.rest[1:]
	}
	return nil
}

func (w *walker) object(s *shape, path string) error {
	seen := map[string]bool{}
	own := false
	return w.each('}', func() error {
		key := w.text()
		w.space()
		w.rest = w.rest[1:] // the colon
		at := key
		if path != "" {
			at = path + "." + key
		}
		if seen[key] {
			return fmt.Errorf("the key %q stands twice", at)
		}
		seen[key] = true
		inner, err := s.at(key, at, own)
		if err != nil {
			return err
		}
		own = own || s.fields[key] != nil
		return w.value(inner, at)
	})
}

// at returns the shape of what stands under a key of an object. own says that a key of the
// shape stands before it.
func (s *shape) at(key, path string, own bool) (*shape, error) {
	if s.fields == nil {
		return anything, nil
	}
	if inner := s.fields[key]; inner != nil {
		return inner, nil
	}
	for name := range s.fields { // encoding/json takes other letters for the same
		if strings.EqualFold(name, key) {
			return nil, fmt.Errorf("the key %q is not spelled %q", path, name)
		}
	}
	if s.log && !own {
		return anything, nil
	}
	return nil, fmt.Errorf("events have no key %q", path)
}

// text is a string.
func (w *walker) text() string {
	n := 1
	for w.rest[n] != '"' {
		if w.rest[n] == '\\' {
			n++
		}
		n++
	}
	raw := w.rest[:n+1]
	w.rest = w.rest[n+1:]
	if slices.Contains(raw, '\\') || !utf8.Valid(raw) {
		text := ""
		_ = json.Unmarshal(raw, &text) // it is valid
		return text
	}
	return string(raw[1:n])
}
