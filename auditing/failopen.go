package auditing

import (
	"context"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/hooks"
	"github.com/paddock-dev/audit/internal/metrics"
)

type failOpen struct {
	next    Sink
	onError func(context.Context, *v1alpha1.AuditEvent, error)
}

// FailOpen returns a Sink for a component that goes on when its trail fails: it
// writes to next and always returns nil. Each failure is counted, as any failed
// write is, and handed to onError, which is called on the writer's goroutine
// with the caller's context, and which logs it or raises an alarm; a panic of it is
// logged and does not reach the writer. onError may be nil where the counter alone is watched. The level is LevelNone, because nil promises
// nothing.
func FailOpen(next Sink, onError func(ctx context.Context, ae *v1alpha1.AuditEvent, err error)) Sink {
	return failOpen{next: next, onError: onError}
}

func (f failOpen) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	err := f.write(ctx, ae)
	if err != nil && f.onError != nil {
		_ = hooks.Call("onError of FailOpen", func() { f.onError(ctx, ae, err) }) // it is logged
	}
	return nil
}

func (f failOpen) write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	if f.next != nil {
		return f.next.Write(ctx, ae)
	}
	failed := &WriteError{Sink: "failopen", Class: ClassPermanent, Err: errNilSink}
	var decision v1alpha1.AuditDecision
	var kind v1alpha1.AuditKind
	if ae != nil {
		failed.Event, failed.Component = ae.Name, ae.Labels[v1alpha1.LabelComponent]
		decision, kind = ae.Spec.Decision, ae.Spec.Kind
	}
	metrics.Event(failed.Component, decision, kind, metrics.Failed)
	return failed
}

// FailOpen returns what the sink was made of, for package driver.
func (f failOpen) FailOpen() (next Sink, onError func(context.Context, *v1alpha1.AuditEvent, error)) {
	return f.next, f.onError
}

func (f failOpen) Check(ctx context.Context) error {
	if f.next == nil {
		return errNilSink
	}
	return Check(ctx, f.next)
}

func (f failOpen) Close(ctx context.Context) error { return Close(ctx, f.next) }
func (f failOpen) Level() Level                    { return LevelNone }
func (f failOpen) String() string                  { return "failopen(" + Chain(f.next) + ")" }
