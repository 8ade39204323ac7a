package sinktest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

const (
	defaultNamespace = "default"
	defaultPatience  = 10 * time.Second
	defaultPrompt    = 2 * time.Second
)

// Harness tells the suite how to make sinks of one kind. New, Failing and Hanging are
// required. Each is called several times, but never by two clauses at once.
type Harness struct {
	// New returns a sink, and a function that reads its destination back. The sinks of
	// several calls may share a destination: the suite looks only for the names of its
	// own events.
	New func(ctx context.Context) (Subject, error)

	// Failing returns a sink whose Write fails because its destination fails: the
	// destination refuses every event, cannot be reached or has no room.
	Failing func(ctx context.Context) (Fault, error)
	// CannotFail says why Failing is nil. CannotHang says when the suite accepts that.
	CannotFail string

	// Hanging returns a sink whose destination never answers before Release.
	Hanging func(ctx context.Context) (Fault, error)
	// CannotHang says why Hanging is nil. The suite accepts and reports the reason for a
	// sink of at most auditing.LevelAccepted, which waits for nothing outside the
	// process. A sink of a higher level waits for a disk or a destination, and these can
	// always fail and hang. For such a sink, a nil Hanging or Failing is a violation.
	CannotHang string

	// Namespace of the suite's events, "default" when empty. It has to exist if the
	// destination checks that it does.
	Namespace string
	// Patience is how long the suite waits for an event to appear in the destination,
	// for a write to return and for goroutines to end. 10 s when 0.
	Patience time.Duration
	// Prompt is how soon Write has to return after its context has ended or its sink is
	// closed. 2 s when 0, which is enough for a busy machine under -race.
	Prompt time.Duration
}

// Subject is a sink in working order.
type Subject struct {
	// Sink to test. The suite closes it at the end of the clause when it is an
	// auditing.Closer.
	Sink auditing.Sink
	// Stored returns the events in the destination, each with its name, labels and
	// annotations. If the readers of the destination take equal records for one event,
	// Stored returns one event for them, and it folds nothing else. It may also return
	// events that the suite did not write.
	Stored func(ctx context.Context) ([]v1alpha1.AuditEvent, error)
	// Records returns how many records the destination holds under a name, before its
	// readers fold them. The clause on repeats calls it for a sink that states that its
	// destination recognises repeats. nil when the harness cannot tell.
	Records func(ctx context.Context, name string) (int, error)
	// Again returns a second sink that writes to the same destination, as another
	// process would open it. nil for a sink that is its own destination: then the suite
	// writes to Sink again, and notes that in the Result.
	Again func(ctx context.Context) (auditing.Sink, error)
	// Release ends what New has started besides the sink: servers, files, idle
	// connections. The suite calls it once, after it has closed the sink. May be nil.
	Release func()
}

// Fault is a sink whose destination fails or hangs.
type Fault struct {
	// Sink to test. The suite closes it at the end of the clause when it is an
	// auditing.Closer.
	Sink auditing.Sink
	// Caused reports whether the chain of err still holds the destination's own error,
	// such as errors.Is(err, syscall.ENOSPC) or apierrors.IsForbidden(err). Only a Fault
	// of Failing needs it.
	Caused func(err error) bool
	// Release ends the fault and what was started for it. A hanging destination then
	// answers the writes that wait. The suite calls it before it closes the sink, and may
	// call it again. May be nil.
	Release func()
}

func (h Harness) withDefaults() Harness {
	if h.Namespace == "" {
		h.Namespace = defaultNamespace
	}
	if h.Patience <= 0 {
		h.Patience = defaultPatience
	}
	if h.Prompt <= 0 {
		h.Prompt = defaultPrompt
	}
	return h
}

// notApplicable ends a clause that cannot be checked with this sink.
type notApplicable struct{ reason string }

func (n *notApplicable) Error() string { return "not applicable: " + n.reason }

// absent returns the error of a clause for which the harness has no Failing or Hanging.
func (p *probe) absent(field, reasonField, reason string) error {
	if reason == "" {
		return fmt.Errorf("harness: %s is nil: give one, or say in %s why there is none", field, reasonField)
	}
	subject, err := p.open()
	if err != nil {
		return err
	}
	if level := auditing.LevelOf(subject.Sink); level > auditing.LevelAccepted {
		return fmt.Errorf("harness: %s is nil (%s), but the sink is %s: "+
			"it waits for something outside the process, and that can fail and hang", field, reason, level)
	}
	return &notApplicable{reason: reason}
}

func (p *probe) failing() (Fault, error) {
	if p.h.Failing == nil {
		return Fault{}, p.absent("Failing", "CannotFail", p.h.CannotFail)
	}
	fault, err := p.fault("Failing", p.h.Failing)
	if err == nil && fault.Caused == nil {
		err = errors.New("harness: Failing gave no Caused, which recognises the destination's error")
	}
	return fault, err
}

func (p *probe) hanging() (Fault, error) {
	if p.h.Hanging == nil {
		return Fault{}, p.absent("Hanging", "CannotHang", p.h.CannotHang)
	}
	return p.fault("Hanging", p.h.Hanging)
}

func (p *probe) fault(field string, make func(context.Context) (Fault, error)) (Fault, error) {
	fault, err := make(p.ctx)
	if err != nil {
		return Fault{}, fmt.Errorf("harness: %s: %w", field, err)
	}
	if fault.Sink == nil {
		return Fault{}, fmt.Errorf("harness: %s gave no Sink", field)
	}
	if fault.Release == nil {
		fault.Release = func() {}
	}
	p.atEnd(func() {
		fault.Release()
		p.close(fault.Sink)
	})
	return fault, nil
}

// open makes a new subject. It is closed and released at the end of the clause.
func (p *probe) open() (Subject, error) {
	if p.h.New == nil {
		return Subject{}, errors.New("harness: New is nil")
	}
	subject, err := p.h.New(p.ctx)
	if err != nil {
		return Subject{}, fmt.Errorf("harness: New: %w", err)
	}
	if subject.Sink == nil || subject.Stored == nil {
		return Subject{}, errors.New("harness: New gave no Sink or no Stored")
	}
	p.atEnd(func() {
		p.close(subject.Sink)
		if subject.Release != nil {
			subject.Release()
		}
	})
	return subject, nil
}
