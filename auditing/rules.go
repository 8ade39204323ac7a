package auditing

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/hooks"
	"github.com/paddock-dev/audit/internal/metrics"
)

// detachTimeout bounds a write that no caller's cancellation can end.
const detachTimeout = 10 * time.Second

// Rules say how long the writes of a component may take, and what becomes of those that
// fail: what a configuration says of a component, for a program that makes its sinks
// itself. Under the zero value, Write does what that of the sink does.
type Rules struct {
	// Timeout of each Write. When it is 0, only the caller's context bounds a write, or
	// 10 s with Detach; negative for no bound with Detach either.
	Timeout time.Duration
	// Detach keeps a write going when the caller's context ends, as that of a request does
	// whose client has hung up.
	Detach bool
	// FailOpen are the decisions for which Write returns nil when it fails, so that the
	// component goes on without a record. The failure is counted all the same, and the
	// level is then LevelNone, because nil promises nothing.
	FailOpen []v1alpha1.AuditDecision
	// OnFailure is called for each failed write that returns nil, on the writer's
	// goroutine and with the caller's context. It logs the failure or raises an alarm. A
	// panic of it is logged. It may be nil where the counter alone is watched.
	OnFailure func(ctx context.Context, ae *v1alpha1.AuditEvent, err error)
}

// WithRules returns a Sink that writes to next under rules.
func WithRules(next Sink, rules Rules) Sink {
	rules.FailOpen = slices.Clone(rules.FailOpen)
	return ruled{next: next, Rules: rules}
}

// FailOpen returns a Sink for a component that goes on when its trail fails: it writes to
// next and always returns nil. It is WithRules for all decisions, and for events that are
// not valid.
func FailOpen(next Sink, onError func(ctx context.Context, ae *v1alpha1.AuditEvent, err error)) Sink {
	return ruled{next: next, all: true, Rules: Rules{OnFailure: onError}}
}

type ruled struct {
	next Sink
	all  bool // fails open for every event
	Rules
}

func (r ruled) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	bounded, cancel := r.begin(ctx)
	defer cancel()
	err := r.write(bounded, ae)
	if err == nil {
		return nil
	}
	var decision v1alpha1.AuditDecision
	if ae != nil {
		decision = ae.Spec.Decision
	}
	return r.settle(ctx, decision, err, func() *v1alpha1.AuditEvent { return ae })
}

func (r ruled) write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	if r.next != nil {
		return r.next.Write(ctx, ae)
	}
	failed := &WriteError{Sink: r.Name(), Class: ClassPermanent, Err: errNilSink}
	var decision v1alpha1.AuditDecision
	var kind v1alpha1.AuditKind
	if ae != nil {
		failed.Event, failed.Component = ae.Name, ae.Labels[v1alpha1.LabelComponent]
		decision, kind = ae.Spec.Decision, ae.Spec.Kind
	}
	metrics.Event(failed.Component, decision, kind, metrics.Failed)
	return failed
}

// begin returns the context of one write.
func (r ruled) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := r.Timeout
	if r.Detach {
		ctx = context.WithoutCancel(ctx)
		if timeout == 0 {
			timeout = detachTimeout
		}
	}
	if timeout > 0 {
		return context.WithTimeout(ctx, timeout)
	}
	return ctx, func() {}
}

// settle returns what Write returns when it failed with err. It reports a failure that it
// keeps from the caller.
func (r ruled) settle(ctx context.Context, d v1alpha1.AuditDecision, err error, ae func() *v1alpha1.AuditEvent) error {
	if !r.all && !slices.Contains(r.FailOpen, d) {
		return err
	}
	if r.OnFailure != nil {
		_ = hooks.Call("OnFailure of "+r.Name(), func() { r.OnFailure(ctx, ae(), err) }) // it is logged
	}
	return nil
}

// Ruled returns what the sink is made of, for package driver.
func (r ruled) Ruled() (
	next Sink,
	begin func(context.Context) (context.Context, context.CancelFunc),
	settle func(context.Context, v1alpha1.AuditDecision, error, func() *v1alpha1.AuditEvent) error,
) {
	return r.next, r.begin, r.settle
}

// Name is the sink's name in errors and metrics.
func (r ruled) Name() string {
	if r.all {
		return "failopen"
	}
	return "rules"
}

func (r ruled) Check(ctx context.Context) error {
	if r.next == nil {
		return errNilSink
	}
	return Check(ctx, r.next)
}

func (r ruled) Close(ctx context.Context) error { return Close(ctx, r.next) }

func (r ruled) Level() Level {
	if r.all || len(r.FailOpen) > 0 {
		return LevelNone
	}
	return LevelOf(r.next)
}

// String prints "failopen(kube)" or "rules[timeout 3s, detached, fails open for warned](kube)".
func (r ruled) String() string {
	var says []string
	if r.Timeout > 0 {
		says = append(says, "timeout "+r.Timeout.String())
	}
	if r.Detach {
		says = append(says, "detached")
	}
	if len(r.FailOpen) > 0 {
		open := "fails open for"
		for _, d := range r.FailOpen {
			open += " " + string(d)
		}
		says = append(says, open)
	}
	name := r.Name()
	if len(says) > 0 {
		name += "[" + strings.Join(says, ", ") + "]"
	}
	return name + "(" + Chain(r.next) + ")"
}
