package auditing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// Target says on whose behalf Deliver works.
type Target struct {
	// Sink names the sink in errors and metrics: "kube". One word of few.
	Sink string
	// Component, when not empty, becomes the event's component label. It must be
	// a label value.
	Component string
	// Namespaced refuses an event without a namespace.
	Namespaced bool
	// Stage says that the transport hands the event on to other sinks. The write
	// then counts as failed once, here, whatever those do on the way.
	Stage bool
	// Keep hands the transport a copy of the event that belongs to it: it may go on
	// reading the copy after it has returned, and hand it to several sinks at once
	// that only read it (see ReadsOnly).
	Keep bool
}

// Transport does what is a destination's own: it stores one event that is
// valid, identified and within the bounds of the schema. It returns the raw
// cause of a failure, marked with Permanent, RetryAfter or WithClass where the
// default of ClassOf is wrong. It keeps nothing of the event after it returned,
// unless the Target says Keep, and does not change its spec.
type Transport func(ctx context.Context, ae *v1alpha1.AuditEvent) error

// Deliver is the one place that owns the contract of Sink. A Sink's Write calls
// it and adds only its transport:
//
//	func (s *Sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
//		return auditing.Deliver(ctx, auditing.Target{Sink: "file"}, ae, s.store)
//	}
//
// It validates the event, identifies it (name, labels, exact time; in place, so
// that a retry has the same identity), shortens in a copy what is beyond the
// bounds of the schema, calls send, turns a panic of send into an error, times
// and counts the write, and wraps the error in a *WriteError. It does not stop a
// send that ignores ctx.
func Deliver(ctx context.Context, t Target, ae *v1alpha1.AuditEvent, send Transport) error {
	start := time.Now()
	before, nested := ctx.Value(stagedKey{}).(*staged)
	err := prepareAndSend(ctx, t, ae, before, send)
	if err == nil {
		observe(t, ae, time.Since(start), nil, !nested)
		return nil
	}
	failed := newWriteError(ctx, t, ae, err)
	observe(t, ae, time.Since(start), failed, !nested)
	return failed
}

// Nested returns a context under which a failed write does not count as a
// failure of its own: a stage that writes in the background, with no caller of
// Write waiting, hands it to the next sink.
func Nested(ctx context.Context) context.Context {
	return &staged{Context: ctx}
}

// staged is the context that a stage hands on. It holds the event that the stage
// has validated, identified and brought within the bounds, which the sinks behind
// it need not do again; nil for none.
type staged struct {
	context.Context
	event *v1alpha1.AuditEvent
	kept  bool // it is a copy that nobody changes any more, and several may be reading
}

type stagedKey struct{}

// Value returns s itself for stagedKey.
func (s *staged) Value(key any) any {
	if _, own := key.(stagedKey); own {
		return s
	}
	return s.Context.Value(key)
}

func prepareAndSend(ctx context.Context, t Target, ae *v1alpha1.AuditEvent, before *staged, send Transport) error {
	ready := before != nil && ae != nil && ae == before.event
	kept := ready && before.kept
	if ready && !suits(ae, t) {
		ready = false
		if kept {
			ae = clone(ae) // what others are reading is not stamped
		}
	}
	if !ready {
		if err := validate(ae, t); err != nil {
			return Permanent(err)
		}
		if err := identify(ae, t.Component); err != nil {
			return Permanent(err)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("not attempted: %w", err)
	}
	if !ready {
		fitted := fit(ae)
		kept = kept || fitted != ae
		ae = fitted
	}
	if t.Keep && !kept {
		ae, ready = clone(ae), false
	}
	if t.Stage && !ready {
		ctx = &staged{Context: ctx, event: ae, kept: t.Keep}
	}
	return guarded(ctx, ae, send)
}

// suits reports that t asks nothing of ae that another target may not have asked.
func suits(ae *v1alpha1.AuditEvent, t Target) bool {
	return (!t.Namespaced || ae.Namespace != "") &&
		(t.Component == "" || ae.Labels[v1alpha1.LabelComponent] == t.Component)
}

// guarded calls send; a transport that panics must not take its component down.
func guarded(ctx context.Context, ae *v1alpha1.AuditEvent, send Transport) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = Permanent(fmt.Errorf("panic: %w", r))
		default:
			err = Permanent(fmt.Errorf("panic: %v", r))
		}
	}()
	return send(ctx, ae)
}

func newWriteError(ctx context.Context, t Target, ae *v1alpha1.AuditEvent, err error) *WriteError {
	// Some clients answer for an ended context with an error of their own.
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	class, after := ClassOf(err)
	return &WriteError{
		Sink:       t.Sink,
		Event:      eventName(ae),
		Component:  componentOf(t, ae, err),
		Class:      class,
		RetryAfter: after,
		Err:        err,
	}
}

func eventName(ae *v1alpha1.AuditEvent) string {
	switch {
	case ae == nil:
		return ""
	case ae.Namespace == "":
		return ae.Name
	default:
		return ae.Namespace + "/" + ae.Name
	}
}

// componentOf finds the component of a failed write: a stage that has none of
// its own learns it from the sink that failed behind it.
func componentOf(t Target, ae *v1alpha1.AuditEvent, err error) string {
	if t.Component != "" {
		return t.Component
	}
	if ae != nil && ae.Labels[v1alpha1.LabelComponent] != "" {
		return ae.Labels[v1alpha1.LabelComponent]
	}
	if err == nil {
		return ""
	}
	var inner *WriteError
	if errors.As(err, &inner) {
		return inner.Component
	}
	return ""
}
