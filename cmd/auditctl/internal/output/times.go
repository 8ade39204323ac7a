package output

import (
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// Forms of a time.
const (
	Relative = "relative" // its age
	Exact    = "exact"    // RFC 3339, to the nanosecond
	Short    = "short"    // without the year
)

// Times formats times.
type Times struct {
	Form string
	Zone *time.Location
	Now  func() time.Time
}

// Format returns a time as text.
func (t Times) Format(at time.Time) string {
	switch t.Form {
	case Relative:
		if age := t.Now().Sub(at); age >= 0 {
			return duration.HumanDuration(age)
		}
		return "in " + duration.HumanDuration(at.Sub(t.Now()))
	case Short:
		return at.In(t.Zone).Format("01-02 15:04:05")
	}
	return at.In(t.Zone).Format(time.RFC3339Nano)
}
