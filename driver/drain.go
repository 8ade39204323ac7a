package driver

import "context"

// Drainer is a Driver whose Store may return before it is known that a place will not hold an event: a
// spool is one, and a fan-out with a child that need not succeed. So is a stage in front of one.
type Drainer interface {
	// Drain waits until every place holds what Store was given, or is known to lack it (see Lacks), or
	// until ctx ends, which is no error. Store may go on meanwhile.
	Drain(ctx context.Context) error
}

// Drain drains d if it is a Drainer. A stage calls it when it is closed and has something to store
// that depends on what places lack.
func Drain(ctx context.Context, d Driver) error {
	if l, ok := d.(*link); ok {
		d = l.driver
	}
	if drainer, ok := d.(Drainer); ok {
		return guarded(func() error { return drainer.Drain(ctx) })
	}
	return nil
}
