package driver

import (
	"context"
	"errors"
	"fmt"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/hooks"
	"github.com/paddock-dev/audit/internal/metrics"
	"github.com/paddock-dev/audit/internal/names"
)

// Write is the Write of a Sink that is a struct literal, as kube.Sink is:
//
//	func (s Sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
//		return driver.Write(ctx, store{s}, ae)
//	}
//
// It prepares ae, stores it with d, and counts the outcome once, under the
// component that ae is labelled with. Its errors are what auditing.Sink promises.
func Write(ctx context.Context, d Driver, ae *v1alpha1.AuditEvent) error {
	return newLink(d).write(ctx, ae)
}

// write is where an event enters a chain. Each event passes here once.
func (l *link) write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	counted := isLent(ae) // by the chain that holds the plain sink
	if counted && !l.suits(ae) {
		return l.refusal(ae, Permanent(fmt.Errorf("%s is of component %q, and the event of %q: give the sink that is written to first this component",
			l.info.Chain, l.info.Component, ae.Labels[v1alpha1.LabelComponent])))
	}
	facts := auditing.FactsFrom(ctx)
	if facts != nil && facts.DryRun {
		return l.dryRun(ae)
	}
	e, err := prepare(ae, &l.info, facts)
	if err != nil {
		return l.invalid(ae, err, counted)
	}
	err = l.one(ctx, e)
	e.giveSeal(ae)
	if counted { // as is what follows
		return err
	}
	if err != nil {
		metrics.Event(e.Component(), e.Decision(), e.Kind(), metrics.Failed)
		return err
	}
	metrics.Event(e.Component(), e.Decision(), e.Kind(), metrics.Stored)
	if facts != nil && facts.OnStored != nil {
		_ = hooks.Call("OnStored of a request", func() { facts.OnStored(ae) }) // it is logged
	}
	return nil
}

// dryRun refuses what write would refuse as invalid, and stores nothing.
func (l *link) dryRun(ae *v1alpha1.AuditEvent) error {
	own := ownLabels(ae)
	if err := validate(ae, &own, l.info.Component, l.info.Namespaced); err != nil {
		return l.invalid(ae, WithClass(auditing.ClassInvalid, err), false)
	}
	metrics.DryRuns.Inc()
	return nil
}

// invalid counts an event that cannot be prepared, and returns its error.
func (l *link) invalid(ae *v1alpha1.AuditEvent, err error, counted bool) error {
	refused := l.refusal(ae, err)
	if !counted {
		countRefused(ae, refused)
	}
	l.meter.Failed(string(refused.Class))
	return refused
}

// one stores one event.
func (l *link) one(ctx context.Context, e *Event) error {
	if err := ctx.Err(); err != nil {
		we := writeError(ctx, &l.info, e, fmt.Errorf("not attempted: %w", err))
		l.meter.Failed(string(we.Class))
		return we
	}
	if errs := l.Store(ctx, e.self[:]); errs != nil {
		return errs[0]
	}
	return nil
}

// suits reports that l has no component of its own, or the event's.
func (l *link) suits(ae *v1alpha1.AuditEvent) bool {
	return l.info.Component == "" || ae.Labels[v1alpha1.LabelComponent] == l.info.Component
}

// refusal is the error of an event that was not handed to the driver.
func (l *link) refusal(ae *v1alpha1.AuditEvent, err error) *auditing.WriteError {
	class, _ := ClassOf(err)
	we := &auditing.WriteError{Sink: l.info.Name, Component: l.info.Component, Class: class, Err: err}
	if ae == nil {
		return we
	}
	we.Event = ref(ae.Namespace, ae.Name)
	if own := ae.Labels[v1alpha1.LabelComponent]; we.Component == "" && names.IsLabelValue(own) { // any other text may be private
		we.Component = own
	}
	return we
}

func countRefused(ae *v1alpha1.AuditEvent, refused *auditing.WriteError) {
	var decision v1alpha1.AuditDecision
	var kind v1alpha1.AuditKind
	if ae != nil {
		decision, kind = ae.Spec.Decision, ae.Spec.Kind
	}
	metrics.Event(refused.Component, decision, kind, metrics.Invalid)
}

// Sink is a Driver as callers see it. A type that embeds it is an auditing.Sink
// whose level, chain, check and Close are the Driver's:
//
//	type Sink struct{ driver.Sink }
//
//	func New(path string) *Sink { return &Sink{driver.New(&file{path: path})} }
//
// Such a type leaves Write to it: stages hand events to the Driver itself. The zero
// value refuses every event.
type Sink struct{ link *link }

// New returns the Sink of a Driver.
func New(d Driver) Sink {
	if d == nil {
		return Sink{}
	}
	return Sink{link: newLink(d)}
}

// Write prepares ae and stores it. See auditing.Sink.
func (s Sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return s.behind().write(ctx, ae)
}

// Check asks the destination whether it is there and takes events, without storing
// one.
func (s Sink) Check(ctx context.Context) error { return s.behind().Check(ctx) }

// Close makes later writes fail with auditing.ClassClosed, and releases what the
// sink holds and what stands behind it. It waits for writes under way until ctx
// ends; its error says what stayed unconfirmed. Closing twice is harmless.
func (s Sink) Close(ctx context.Context) error { return s.behind().Close(ctx) }

// Level returns what nil from Write means.
func (s Sink) Level() auditing.Level { return s.behind().info.Level }

// String prints the sink and what stands behind it: "retry(kube)".
func (s Sink) String() string { return s.behind().info.Chain }

// GoString returns what String does: %#v would print what the driver holds.
func (s Sink) GoString() string { return s.String() }

func (s Sink) behind() *link {
	if s.link == nil {
		return nowhere
	}
	return s.link
}

var errNowhere = errors.New("there is no destination: make the sink with the New function of its package")

type noDriver struct{ Base }

func (noDriver) Info() Info                  { return Info{Name: "none"} }
func (noDriver) Check(context.Context) error { return errNowhere }

func (noDriver) Store(_ context.Context, events []*Event) []error {
	return All(len(events), Permanent(errNowhere))
}

var nowhere = newLink(noDriver{})
