package auditing

import (
	"context"
	"errors"
	"strings"
	"time"
)

// ErrAuditWrite is in the chain of every error that a Sink's Write returns:
//
//	if errors.Is(err, auditing.ErrAuditWrite) { ... }
//
// A caller needs no other test, whatever the destination is.
var ErrAuditWrite = errors.New("audit write failed")

var errNilSink = errors.New("the sink to write to is nil: give it one")

// Class says what a failed write means for a second attempt.
type Class string

const (
	// ClassTransient: a later attempt may succeed. It is the class of every error
	// that says nothing else.
	ClassTransient Class = "transient"
	// ClassPermanent: the same event will fail again, here and now or for good.
	ClassPermanent Class = "permanent"
	// ClassFull: a bound of this sink is reached; there is room again later.
	ClassFull Class = "full"
	// ClassClosed: the sink was closed.
	ClassClosed Class = "closed"
	// ClassTimeout: the context ended first. Whether the event was stored is
	// unknown; writing it again is harmless and finds out.
	ClassTimeout Class = "timeout"
)

// WriteError is the error of a failed Write. Get at it with errors.As; the
// outermost one describes the whole chain.
type WriteError struct {
	// Sink that failed, as in "kube".
	Sink string
	// Event is the event's namespace/name, or its name alone, or "" when there
	// was no event.
	Event string
	// Component that wrote the event, or "".
	Component string
	// Class of the failure.
	Class Class
	// RetryAfter is the pause that the destination asked for; 0 when it asked for none.
	RetryAfter time.Duration
	// Err is the cause, never nil.
	Err error
}

// Error says what failed, for which event, and why.
func (e *WriteError) Error() string {
	var b strings.Builder
	b.WriteString(ErrAuditWrite.Error())
	if e.Event != "" {
		b.WriteString(": event ")
		b.WriteString(e.Event)
	}
	b.WriteString(": ")
	b.WriteString(e.cause())
	return b.String()
}

// cause prints the chain of sinks without naming the event again.
func (e *WriteError) cause() string {
	text := e.Err.Error()
	if inner, ok := e.Err.(*WriteError); ok && inner.Event == e.Event { //nolint:errorlint // only the direct cause repeats the event
		text = inner.cause()
	}
	return e.Sink + ": " + string(e.Class) + ": " + text
}

// Unwrap returns ErrAuditWrite and the cause.
func (e *WriteError) Unwrap() []error { return []error{ErrAuditWrite, e.Err} }

func (e *WriteError) class() (Class, time.Duration) { return e.Class, e.RetryAfter }

// classified marks an error with a class until Deliver puts it into a WriteError.
type classified struct {
	err   error
	as    Class
	after time.Duration
}

func (c *classified) Error() string                 { return c.err.Error() }
func (c *classified) Unwrap() error                 { return c.err }
func (c *classified) class() (Class, time.Duration) { return c.as, c.after }

// WithClass marks err with a class, for a Sink to return from its transport. It
// returns nil when err is nil.
func WithClass(class Class, err error) error {
	if err == nil {
		return nil
	}
	return &classified{err: err, as: class}
}

// Permanent marks err as one that no retry of the same event will mend.
func Permanent(err error) error { return WithClass(ClassPermanent, err) }

// RetryAfter marks err as transient, with the pause that the destination asked
// for. It returns nil when err is nil.
func RetryAfter(err error, pause time.Duration) error {
	if err == nil {
		return nil
	}
	return &classified{err: err, as: ClassTransient, after: pause}
}

// ClassOf returns the class of an error from a Write or from a transport, and
// the pause that the destination asked for (0 for none). What is marked with
// nothing is ClassTimeout when it stems from a context that ended, and
// ClassTransient otherwise, for a retry never does harm.
func ClassOf(err error) (Class, time.Duration) {
	var c interface{ class() (Class, time.Duration) }
	if errors.As(err, &c) {
		return c.class()
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return ClassTimeout, 0
	}
	return ClassTransient, 0
}
