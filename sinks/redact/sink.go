package redact

import (
	"context"
	"errors"
	"fmt"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// sinkName stands in errors and metrics.
const sinkName = "redact"

// Sink redacts events on their way to the next sink. Make one with New; it is safe for
// concurrent use.
//
// Write redacts a copy of the event and writes that to the next sink. The caller's event
// keeps its texts, and gets its name, time and labels as by any Write, so that writing it
// again writes the same event again. Hooks that get the caller's event, OnStored of
// auditing.Facts and onError of auditing.FailOpen, get it with its texts.
//
// Level is that of the next sink, and String prints the chain: "redact(kube)". Check asks
// the next sink. Close refuses later writes, waits for those under way until ctx ends, and
// closes the next sink.
type Sink struct{ driver.Sink }

// New returns a Sink in front of next. It refuses a nil next, a component that is not
// that of next, and rules and keys in which anything is wrong: a key that is missing or
// short, a field or an action that there is not, a pattern that is no regular expression.
// It keeps nothing of opts.
func New(next auditing.Sink, opts Options) (*Sink, error) {
	if next == nil {
		return nil, errors.New("redact: the sink to write to is nil: give it one")
	}
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	s := &stage{next: driver.Of(next), hashers: newHashers(opts.Keys)}
	s.plans.rules, _ = compile(opts.Rules) // Validate has found nothing wrong
	component, err := driver.Component(opts.Component, s.next)
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	s.info = s.next.Info()
	s.info.Name, s.info.Chain, s.info.Component = sinkName, sinkName+"("+s.info.Chain+")", component
	s.info.Redacts = true
	return &Sink{driver.New(s)}, nil
}

// stage is the Driver of a Sink.
type stage struct {
	driver.Gate

	next    driver.Driver
	info    driver.Info
	plans   plans
	hashers []*hasher
}

// Info returns that of the next driver, with this stage's name and component.
func (s *stage) Info() driver.Info { return s.info }

// Store hands on redacted copies.
func (s *stage) Store(ctx context.Context, events []*driver.Event) []error {
	if err := s.Enter(len(events)); err != nil {
		return driver.All(len(events), err)
	}
	defer s.Leave(len(events))
	redacted := make([]*driver.Event, len(events))
	for i, e := range events {
		redacted[i] = s.plans.of(e.Kind()).redact(e, s.hashers)
	}
	return s.next.Store(ctx, redacted)
}

// Check asks the next driver.
func (s *stage) Check(ctx context.Context) error { return s.next.Check(ctx) }

// Close waits for the writes under way and closes the next driver.
func (s *stage) Close(ctx context.Context) error {
	return errors.Join(s.Gate.Close(ctx), s.next.Close(ctx))
}
