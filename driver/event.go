package driver

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/names"
)

// Event is an event that Write has prepared: valid, named, labelled, with its exact
// time, and within the bounds of the schema. It never changes. It may be kept, and
// read by any number of goroutines.
type Event struct {
	flat eventjson.Event
	self [1]*Event // the slice that Store gets of a single event
	// whole is the event before it was brought within the bounds of the schema, for
	// Redacted; nil when it was within them, or no driver redacts.
	whole *eventjson.Event
	// written is the event that Write prepared, when this is a copy of it; otherwise nil.
	written *Event
	// seal is of the copy that was sealed last.
	seal atomic.Pointer[string]

	json atomic.Pointer[[]byte] // encoded when first needed
}

// finish makes e ready for use, once flat is.
func (e *Event) finish() *Event {
	e.self[0] = e
	s := &e.flat.Spec
	s.Timestamp.Time = names.ExactTime(s.Timestamp.Time, e.Annotation(v1alpha1.AnnotationTimestamp)).UTC()
	return e
}

// Decode returns the event of what JSON returned earlier. It does not validate it a
// second time, and keeps nothing of data.
func Decode(data []byte) (*Event, error) {
	e := &Event{}
	same, err := e.flat.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("decoding an event: %w", err)
	}
	if e.flat.Name == "" {
		return nil, errors.New("decoding an event: it has no name, and every written event has one")
	}
	if same { // a copy costs less than to encode the event again
		encoded := slices.Clip(bytes.Clone(data))
		e.json.Store(&encoded)
	}
	return e.finish(), nil
}

// Name returns the event's name, which no other event has.
func (e *Event) Name() string { return e.flat.Name }

// Namespace returns the event's namespace, or "".
func (e *Event) Namespace() string { return e.flat.Namespace }

// Ref returns the event's namespace/name, or its name alone, as errors print it.
func (e *Event) Ref() string { return ref(e.flat.Namespace, e.flat.Name) }

func ref(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

// Time returns when the decision was made, to the nanosecond, in UTC.
func (e *Event) Time() time.Time { return e.flat.Spec.Timestamp.Time }

// Kind returns what was decided upon.
func (e *Event) Kind() v1alpha1.AuditKind { return e.flat.Spec.Kind }

// Decision returns what was decided.
func (e *Event) Decision() v1alpha1.AuditDecision { return e.flat.Spec.Decision }

// Component returns the component that made the decision, or "".
func (e *Event) Component() string { return e.Label(v1alpha1.LabelComponent) }

// Run returns the full name of the run that the decision concerns, or "".
func (e *Event) Run() string {
	if e.flat.Spec.RunRef == nil {
		return ""
	}
	return e.flat.Spec.RunRef.Name
}

// Label returns the value of a label, or "".
func (e *Event) Label(key string) string {
	value, _ := e.flat.Labels.Get(key)
	return value
}

// Annotation returns the value of an annotation, or "".
func (e *Event) Annotation(key string) string {
	value, _ := e.flat.Annotations.Get(key)
	return value
}

// Spec returns the event's spec. All holders of the event share it, and must not
// change it. Its field Detail is nil: the method Detail has the entries.
func (e *Event) Spec() *v1alpha1.AuditEventSpec { return &e.flat.Spec }

// Detail yields the entries of spec.detail, in the order of their keys.
func (e *Event) Detail() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for i := range e.flat.Detail {
			if !yield(e.flat.Detail[i].Key, e.flat.Detail[i].Value) {
				return
			}
		}
	}
}

// Owners returns metadata.ownerReferences. All holders of the event share them, and
// must not change them.
func (e *Event) Owners() []metav1.OwnerReference { return e.flat.Owners() }

// AppendSpec appends the JSON of the spec alone.
func (e *Event) AppendSpec(dst []byte) []byte { return e.flat.AppendSpec(dst) }

// Object returns the event as a new object, which belongs to the caller.
func (e *Event) Object() *v1alpha1.AuditEvent {
	ae := &v1alpha1.AuditEvent{}
	e.flat.CopyTo(ae)
	return ae
}

// Alone returns the slice of this one event, for a Store. It must not be changed.
func (e *Event) Alone() []*Event { return e.self[:] }

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// JSON returns the event on one line: its type, its spec, and the metadata that is the
// same at every destination. Equal events give equal bytes. The event is encoded once;
// the bytes must not be changed.
func (e *Event) JSON() []byte {
	if encoded := e.json.Load(); encoded != nil {
		return *encoded
	}
	buffer := buffers.Get().(*[]byte) //nolint:forcetypeassert // it holds nothing else
	*buffer = e.flat.Append((*buffer)[:0])
	encoded := slices.Clip(bytes.Clone(*buffer)) // so that append copies it
	buffers.Put(buffer)
	if !e.json.CompareAndSwap(nil, &encoded) { // another goroutine was faster
		return *e.json.Load()
	}
	return encoded
}

// AppendJSON appends what JSON returns.
func (e *Event) AppendJSON(dst []byte) []byte {
	if encoded := e.json.Load(); encoded != nil {
		return append(dst, *encoded...)
	}
	return e.flat.Append(dst)
}

// Same reports whether ae, as a destination gives it back, is this event: the same
// decision, by the same component, at the same nanosecond.
func (e *Event) Same(ae *v1alpha1.AuditEvent) bool {
	other := &Event{}
	other.flat.Copy(ae)
	other.finish()
	return e.Time().Equal(other.Time()) && e.Component() == other.Component() &&
		bytes.Equal(e.flat.AppendSpec(nil), other.flat.AppendSpec(nil))
}

// NamedByLibrary reports whether Write made the event's name, from its time, a random
// number and its component. Where the policy audit-events-writers names the writers of
// the component, nobody else can use such a name, also when they have read it.
func (e *Event) NamedByLibrary() bool {
	return names.IsMade(e.flat.Name, e.flat.GenerateName, e.Component(), e.Time())
}
