package auditing

import (
	"sync/atomic"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/names"
)

// EventTime returns when the decision was made, to the nanosecond where that is
// known: JSON keeps whole seconds in spec, and the annotation keeps the rest.
func EventTime(ae *v1alpha1.AuditEvent) time.Time {
	return names.ExactTime(ae.Spec.Timestamp.Time, ae.Annotations[v1alpha1.AnnotationTimestamp])
}

// RunLabel returns the value of the label paddock.dev/run for a run: its name
// where that is a label value, and otherwise a readable prefix of it with a hash
// of the whole. Use it to select the events of a run.
func RunLabel(run string) string { return names.RunLabel(run) }

var lastNow atomic.Int64

// now returns the present time. No two calls in this process return the same
// nanosecond, and a clock that is set back by less than a second is waited for, so that
// events recorded in a row keep their order. A clock that is set back further is
// believed: its old future must not stand in events until the clock gets there.
func now() time.Time {
	for {
		t := time.Now().UnixNano()
		last := lastNow.Load()
		if t <= last && last-t < int64(time.Second) {
			t = last + 1
		}
		if lastNow.CompareAndSwap(last, t) {
			return time.Unix(0, t).UTC()
		}
	}
}
