package reading

import (
	"cmp"
	"strings"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/names"
)

// Record is an event as one place holds it.
type Record struct {
	// Event as it was found, with the type, the spec and the metadata that writers set.
	Event *v1alpha1.AuditEvent
	// Time of the decision, to the nanosecond where the place knows it.
	Time time.Time
	// Source is the name of the source.
	Source string
	// At says where in the source, as in "audit.log:17"; "" where there is one way only to
	// find an event by its name.
	At string
}

// NewRecord returns the record of an event.
func NewRecord(ae *v1alpha1.AuditEvent, source, at string) *Record {
	exact := names.ExactTime(ae.Spec.Timestamp.Time, ae.Annotations[v1alpha1.AnnotationTimestamp]).UTC()
	return &Record{Event: ae, Time: exact, Source: source, At: at}
}

// Key is the order of records, and the identity of an event.
type Key struct {
	Time            time.Time
	Name, Namespace string
}

// Key returns the record's key.
func (r *Record) Key() Key { return Key{r.Time, r.Event.Name, r.Event.Namespace} }

// Compare orders keys by time, then name, then namespace.
func (k Key) Compare(other Key) int {
	return cmp.Or(k.Time.Compare(other.Time), strings.Compare(k.Name, other.Name), strings.Compare(k.Namespace, other.Namespace))
}
