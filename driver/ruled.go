package driver

import (
	"context"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// withRules is what auditing.WithRules and auditing.FailOpen return.
type withRules interface {
	auditing.Sink
	Name() string
	Level() auditing.Level
	String() string
	Ruled() (
		next auditing.Sink,
		begin func(context.Context) (context.Context, context.CancelFunc),
		settle func(context.Context, v1alpha1.AuditDecision, error, func() *v1alpha1.AuditEvent) error,
	)
}

// ruled is auditing.WithRules behind a stage.
type ruled struct {
	Driver // behind it

	info   Info
	begin  func(context.Context) (context.Context, context.CancelFunc)
	settle func(context.Context, v1alpha1.AuditDecision, error, func() *v1alpha1.AuditEvent) error
}

func newRuled(s withRules) *ruled {
	r := &ruled{}
	var next auditing.Sink
	next, r.begin, r.settle = s.Ruled()
	if r.Driver = Of(next); r.Driver == nil {
		r.Driver = nowhere
	}
	r.info = r.Driver.Info()
	r.info.Name, r.info.Chain, r.info.Level = s.Name(), s.String(), s.Level()
	return r
}

func (r *ruled) Info() Info { return r.info }

func (r *ruled) Drain(ctx context.Context) error { return Drain(ctx, r.Driver) }

func (r *ruled) Store(ctx context.Context, events []*Event) []error {
	bounded, cancel := r.begin(ctx)
	defer cancel()
	errs := r.Driver.Store(bounded, events)
	for i, err := range errs {
		if err != nil {
			errs[i] = r.settle(ctx, events[i].Decision(), err, events[i].Object)
		}
	}
	return errs
}
