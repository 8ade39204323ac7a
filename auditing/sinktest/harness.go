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

// Harness tells the suite how to get at one kind of sink. New, Failing and
// Hanging are required; each is called several times, in clauses that do not
// run at once.
type Harness struct {
	// New returns a sink and the way to read its destination back. The
	// destination may be shared between calls: the suite looks for the names of
	// its own events only.
	New func(ctx context.Context) (Subject, error)

	// Failing returns a sink whose Write fails because its destination does: it
	// refuses every event, cannot be reached, has no room.
	Failing func(ctx context.Context) (Fault, error)
	// CannotFail says why Failing is nil. See CannotHang for when that is accepted.
	CannotFail string

	// Hanging returns a sink whose destination never answers before Release.
	Hanging func(ctx context.Context) (Fault, error)
	// CannotHang says why Hanging is nil. The reason is accepted, and reported,
	// for a sink of at most auditing.LevelAccepted: one that waits for nothing
	// outside the process. Durable and Acknowledged wait for a disk or a
	// destination, which can always fail and hang, so there it is a violation.
	CannotHang string

	// Namespace of the suite's events, "default" when empty. It has to exist
	// where the destination asks for that.
	Namespace string
	// Patience is how long the suite waits for an event to show up in the
	// destination, for a write to end and for goroutines to go. 10 s when 0.
	Patience time.Duration
	// Prompt is how soon Write returns once its context has ended or its sink is
	// closed. 2 s when 0, which leaves room for a busy machine under -race.
	Prompt time.Duration
}

// Subject is a sink in working order.
type Subject struct {
	// Sink to test. The suite closes it at the end of the clause when it is an
	// auditing.Closer.
	Sink auditing.Sink
	// Stored reads the events in the destination, each with the name it was
	// written under, its labels and its annotations. It folds repeats as the
	// destination's readers do (and no further): where they take equal records
	// for one, it returns one. Events that the suite did not write may be there.
	Stored func(ctx context.Context) ([]v1alpha1.AuditEvent, error)
	// Records counts what the destination holds under a name before its readers fold
	// it, where the harness can tell. The clause on repeats asks it of a sink that
	// states that its destination recognises them. May be nil.
	Records func(ctx context.Context, name string) (int, error)
	// Again returns a second sink to the same destination, as another process
	// would open it. nil for a sink that is its own destination; the suite then
	// writes to Sink again, and says so.
	Again func(ctx context.Context) (auditing.Sink, error)
	// Release ends what New started beyond the sink: servers, files, idle
	// connections. Called once, after the sink was closed. May be nil.
	Release func()
}

// Fault is a sink whose destination is out of order.
type Fault struct {
	// Sink to test. The suite closes it at the end of the clause when it is an
	// auditing.Closer.
	Sink auditing.Sink
	// Caused reports whether the destination's own error is still in the chain
	// of err: errors.Is(err, syscall.ENOSPC), apierrors.IsForbidden(err). Needed
	// for Failing only.
	Caused func(err error) bool
	// Release ends the fault and what was started for it: a hanging destination
	// lets go of the writes it holds. It may be called again, and comes before
	// the sink's Close. May be nil.
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

// notApplicable ends a clause that cannot be asked of this sink.
type notApplicable struct{ reason string }

func (n *notApplicable) Error() string { return "not applicable: " + n.reason }

// absent decides what a missing Failing or Hanging means.
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

// open makes a fresh subject, which goes at the end of the clause.
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
