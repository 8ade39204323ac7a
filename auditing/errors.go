package auditing

import (
	"errors"
	"strings"
	"time"

	"github.com/paddock-dev/audit/internal/texts"
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
	// ClassPermanent: the destination refuses the event, and would refuse it again.
	ClassPermanent Class = "permanent"
	// ClassInvalid: no destination could store the event, because of what its program
	// put into it. Such events count apart from those that a destination failed.
	ClassInvalid Class = "invalid"
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

// Error says what failed, for which event, and why. It is one line: control characters
// in what a program or a destination wrote are escaped, as in "\n" and "\u202e".
func (e *WriteError) Error() string {
	var b strings.Builder
	b.WriteString(ErrAuditWrite.Error())
	if e.Event != "" {
		b.WriteString(": event ")
		b.WriteString(e.Event)
	}
	b.WriteString(": ")
	b.WriteString(e.cause())
	return texts.Visible(b.String())
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

// Retry says what the error means for a second attempt: its class, and the pause
// that the destination asked for.
func (e *WriteError) Retry() (Class, time.Duration) { return e.Class, e.RetryAfter }
