package reading

import (
	"bytes"
	"slices"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// Query says which events are read: those that each of its fields takes. The zero value
// takes all. Do not change a Query while it is in use.
type Query struct {
	// Since and Until bound the time of the decision: Since is included, Until is not. Zero
	// for no bound.
	Since, Until time.Time
	// An event has one of Namespaces, one of Components, and so on. An empty list takes
	// all.
	Namespaces []string
	Components []string
	Kinds      []v1alpha1.AuditKind
	Decisions  []v1alpha1.AuditDecision
	// Runs are full names of runs, as in spec.runRef.name.
	Runs []string
	// Names of events.
	Names []string
	// Grep takes events whose JSON contains this text.
	Grep string
	// Where takes events for which the expression is true. nil takes all.
	Where *Where
	// Strict takes only events whose JSON means the same to every reader. One with a key that stands
	// twice, with a key that events do not have, or with a time that no event is stored with is
	// foreign, and each line that has what only events have is an event or told with what is
	// wrong. It is for proofs. What the API server holds is strict.
	Strict bool
}

// Takes reports whether q takes the event of r. An error is one of Where.
func (q *Query) Takes(r *Record) (bool, error) {
	ae := r.Event
	run := ""
	if ae.Spec.RunRef != nil {
		run = ae.Spec.RunRef.Name
	}
	if !q.takesTime(r.Time) || !among(q.Namespaces, ae.Namespace) || !among(q.Components, ae.Labels[v1alpha1.LabelComponent]) ||
		!among(q.Kinds, ae.Spec.Kind) || !among(q.Decisions, ae.Spec.Decision) || !among(q.Runs, run) || !among(q.Names, ae.Name) {
		return false, nil
	}
	if q.Grep != "" && !bytes.Contains(encode(ae), []byte(q.Grep)) {
		return false, nil
	}
	if q.Where == nil {
		return true, nil
	}
	return q.Where.takes(r)
}

// takesTime reports whether t is between Since and Until.
func (q *Query) takesTime(t time.Time) bool {
	return (q.Since.IsZero() || !t.Before(q.Since)) && (q.Until.IsZero() || t.Before(q.Until))
}

func among[T comparable](list []T, value T) bool {
	return len(list) == 0 || slices.Contains(list, value)
}
