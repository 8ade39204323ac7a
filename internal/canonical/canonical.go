// Package canonical writes the canonical form of an event: the same bytes for the same
// event, from the program that writes it and from every destination that gives it back.
// docs/canonical.md describes version 1 of the form.
package canonical

import (
	"strings"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/names"
)

// The kinds of the events in which a trail speaks of itself. Their entry "note" of
// spec.detail is left out: it is signed after the form of the event is made.
const (
	KindTrailOpened     v1alpha1.AuditKind = "trail-opened"
	KindTrailCheckpoint v1alpha1.AuditKind = "trail-checkpoint"
	KindTrailClosed     v1alpha1.AuditKind = "trail-closed"
	KindTrailRecovered  v1alpha1.AuditKind = "trail-recovered"
	KindTrailReaped     v1alpha1.AuditKind = "trail-reaped"
)

// DetailNote is the key of that entry.
const DetailNote = "note"

const (
	// ownPrefix begins the keys of the labels and annotations that count.
	ownPrefix = "paddock.dev/"
	// annotationOmitted says what one destination left out.
	annotationOmitted = ownPrefix + "omitted"
)

// Append appends the canonical form, version 1, of e to dst. The time of e is exact, to the
// nanosecond, and its pairs are in the order of their keys, as in every event that Write
// has prepared. Append allocates nothing when dst has room. It does not change e, and any
// number of goroutines may call it with the same e.
func Append(dst []byte, e *eventjson.Event) []byte {
	w := writer{dst}
	w.text(tagName, e.Name)
	w.text(tagNamespace, e.Namespace)
	w.pairs(tagLabels, e.Labels, ownLabel)
	w.pairs(tagAnnotations, e.Annotations, ownAnnotation)
	w.spec(&e.Spec, e.Detail)
	return w.out
}

// AppendObject appends the same form of an event that was read back. It takes the exact
// time from the annotation paddock.dev/timestamp where that says the same second.
// It does not change ae.
func AppendObject(dst []byte, ae *v1alpha1.AuditEvent) []byte {
	e := &eventjson.Event{}
	e.Copy(ae)
	at := &e.Spec.Timestamp
	at.Time = exactTime(at.Time, ae.Annotations[v1alpha1.AnnotationTimestamp])
	return Append(dst, e)
}

// exactTime takes the annotation only as Write sets it. Another text that means a time
// depends on who parses it.
func exactTime(at time.Time, annotation string) time.Time {
	exact := names.ExactTime(at, annotation)
	if exact.UTC().Format(time.RFC3339Nano) != annotation {
		return at
	}
	return exact
}

func ownLabel(key string) bool { return strings.HasPrefix(key, ownPrefix) }

func ownAnnotation(key string) bool {
	return strings.HasPrefix(key, ownPrefix) && key != v1alpha1.AnnotationSeal && key != annotationOmitted
}

func anyKey(string) bool { return true }

func notNote(key string) bool { return key != DetailNote }

// AnyPlace is what a checkpoint calls the place of an event that will be at none, because it is
// there already with another seal.
const AnyPlace = "(sealed before)"

// IsTrail reports that events of the kind are those in which a trail speaks of itself.
func IsTrail(kind v1alpha1.AuditKind) bool {
	switch kind {
	case KindTrailOpened, KindTrailCheckpoint, KindTrailClosed, KindTrailRecovered, KindTrailReaped:
		return true
	}
	return false
}
