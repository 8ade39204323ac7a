package names

import "time"

// Representable reports whether RFC 3339 can write t in UTC.
func Representable(t time.Time) bool {
	const year1, year10000 = -62135596800, 253402300800 // in seconds of Unix
	at := t.Unix()
	return at >= year1 && at < year10000
}

// ExactTime returns t to the nanosecond: JSON keeps whole seconds of it, and
// annotation, which is that of v1alpha1.AnnotationTimestamp, keeps the rest.
func ExactTime(t time.Time, annotation string) time.Time {
	if t.Nanosecond() != 0 {
		return t
	}
	exact, err := time.Parse(time.RFC3339Nano, annotation)
	if err != nil || exact.Unix() != t.Unix() {
		return t
	}
	return exact
}
