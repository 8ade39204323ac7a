package driver

import (
	"slices"
	"sync"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
)

// Sealed returns a copy of the event with a seal, the annotation paddock.dev/seal. Write
// puts the seal on the caller's event as well, so that a retry has it. Only a stage that
// seals calls it.
func (e *Event) Sealed(seal string) *Event {
	c := &Event{}
	c.flat.CopyOf(&e.flat, 0)
	value := c.flat.Annotate(v1alpha1.AnnotationSeal, seal)
	c.copyOf(e)
	c.written.seal.Store(value)
	return c
}

// copyOf finishes e, a copy of another event.
func (e *Event) copyOf(other *Event) {
	e.self[0] = e
	e.written = other
	if other.written != nil {
		e.written = other.written
	}
}

// giveSeal puts the seal that e got on its way on the caller's event.
func (e *Event) giveSeal(ae *v1alpha1.AuditEvent) {
	if seal := e.seal.Load(); seal != nil {
		setText(ae.Annotations, v1alpha1.AnnotationSeal, *seal)
	}
}

// AppendCanonical appends the canonical form of the event, which docs/canonical.md describes.
func (e *Event) AppendCanonical(dst []byte) []byte { return canonical.Append(dst, &e.flat) }

// OfTrail reports that the event is one in which a sealed trail speaks of itself, as a
// checkpoint is. Every place that holds events of the trail needs it.
func (e *Event) OfTrail() bool {
	return canonical.IsTrail(e.Kind()) && e.Annotation(v1alpha1.AnnotationSeal) != ""
}

// Lacks says that a place will never hold an event whose Store returned nil: a child of a
// fan-out that need not succeed has failed, or the event has become a dead letter. The
// stage that sealed the event declares it, so that an auditor who misses the event at that
// place does not take it for deleted.
func Lacks(e *Event, place string) {
	seal := e.Annotation(v1alpha1.AnnotationSeal)
	if seal == "" {
		return
	}
	losses.Lock()
	hear := slices.Clone(losses.hear)
	losses.Unlock()
	for _, one := range hear {
		(*one)(seal, place)
	}
}

// Repeated says that a place holds the event since before, as stored. The seal of e is then at
// no place if stored has another one.
func Repeated(e *Event, stored *v1alpha1.AuditEvent) {
	if stored.Annotations[v1alpha1.AnnotationSeal] != e.Annotation(v1alpha1.AnnotationSeal) {
		Lacks(e, canonical.AnyPlace)
	}
}

var losses struct {
	sync.Mutex
	hear  []*func(seal, place string)
	known []*func(tell func(e *v1alpha1.AuditEvent, place string))
}

// OnLacks calls hear with the seal of each event that a place lacks, until stop is called, and first
// with those of KnownLacks. A stage that seals calls it; hear sees the events of all of them, and must
// return soon.
func OnLacks(hear func(seal, place string)) (stop func()) {
	losses.Lock()
	losses.hear = append(losses.hear, &hear)
	known := slices.Clone(losses.known)
	losses.Unlock()
	for _, list := range known {
		(*list)(telling(hear))
	}
	return func() { forget(&losses.hear, &hear) }
}

// KnownLacks is for events that a place lacks since an earlier process, which may have ended before their
// loss was declared: the dead letters that a spool finds. Each stage that seals has list tell it of them once,
// at once or when it is made, until stop is called.
func KnownLacks(list func(tell func(e *v1alpha1.AuditEvent, place string))) (stop func()) {
	losses.Lock()
	losses.known = append(losses.known, &list)
	hear := slices.Clone(losses.hear)
	losses.Unlock()
	for _, one := range hear {
		list(telling(*one))
	}
	return func() { forget(&losses.known, &list) }
}

// telling returns a function that tells of the seals of events.
func telling(hear func(seal, place string)) func(e *v1alpha1.AuditEvent, place string) {
	return func(e *v1alpha1.AuditEvent, place string) {
		if seal := e.Annotations[v1alpha1.AnnotationSeal]; seal != "" {
			hear(seal, place)
		}
	}
}

// forget removes a function from those that are called. To do it again is harmless.
func forget[T any](from *[]*T, one *T) {
	losses.Lock()
	defer losses.Unlock()
	*from = slices.DeleteFunc(*from, func(other *T) bool { return other == one })
}
