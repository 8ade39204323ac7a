package sinktest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

var (
	errClosed = errors.New("closed")
	errExists = errors.New("exists already")
)

// shelf is a destination in memory. It takes its time, in order or not.
type shelf struct {
	mu     sync.Mutex
	events []*v1alpha1.AuditEvent
	fails  error         // given to every put
	hangs  chan struct{} // holds every put until it is closed
}

const shelfLatency = 100 * time.Microsecond

// answer waits as long as the shelf takes, or until ctx ends.
func (s *shelf) answer(ctx context.Context) error {
	timer := time.NewTimer(shelfLatency)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.hangs != nil {
		select {
		case <-s.hangs:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.fails
}

// keep stores ae itself. It says errExists when the name is taken.
func (s *shelf) keep(ae *v1alpha1.AuditEvent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.events, func(e *v1alpha1.AuditEvent) bool { return e.Name == ae.Name }) {
		return errExists
	}
	s.events = append(s.events, ae)
	return nil
}

// put is the sound way to store an event.
func (s *shelf) put(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	if err := s.answer(ctx); err != nil {
		return err
	}
	if err := s.keep(ae.DeepCopy()); !errors.Is(err, errExists) {
		return err
	}
	return nil
}

func (s *shelf) stored(context.Context) ([]v1alpha1.AuditEvent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := make([]v1alpha1.AuditEvent, len(s.events))
	for i, ae := range s.events {
		ae.DeepCopyInto(&events[i])
	}
	return events, nil
}

// gate lets writes through until it is closed.
type gate struct {
	mu      sync.Mutex
	closed  bool
	inside  int
	drained chan struct{}
}

func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return auditing.WithClass(auditing.ClassClosed, errClosed)
	}
	g.inside++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.drained != nil {
		close(g.drained)
		g.drained = nil
	}
}

func (g *gate) close(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	if g.inside > 0 && g.drained == nil {
		g.drained = make(chan struct{})
	}
	drained := g.drained
	g.mu.Unlock()
	if drained == nil {
		return nil
	}
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("writes are under way: %w", ctx.Err())
	}
}

// sink is a sound sink in front of a shelf, but for what its flaw replaces.
type sink struct {
	shelf *shelf
	gate  gate
	flaw  flaw
	until <-chan struct{} // closed when the test ends
	mine  sync.Map        // whatever the flaw remembers
}

// flaw is one way to break the contract.
type flaw struct {
	name string
	// breaks are the clauses that reject it, all of them. The first is the one
	// that it is here for.
	breaks []string
	write  func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error
	send   func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error // the transport
	close  func(s *sink, ctx context.Context) error
	wrap   func(s *sink) auditing.Sink
}

func (s *sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	if s.flaw.write != nil {
		return s.flaw.write(s, ctx, ae)
	}
	return s.deliver(ctx, ae)
}

func (s *sink) deliver(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return auditing.Deliver(ctx, auditing.Target{Sink: "shelf"}, ae, s.transport)
}

func (s *sink) transport(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	if s.flaw.send != nil {
		return s.flaw.send(s, ctx, ae)
	}
	return s.shelf.put(ctx, ae)
}

func (s *sink) Close(ctx context.Context) error {
	if s.flaw.close != nil {
		return s.flaw.close(s, ctx)
	}
	return s.gate.close(ctx)
}

func (s *sink) Level() auditing.Level { return auditing.LevelAcknowledged }
func (s *sink) String() string        { return "shelf" }

// harness plugs sinks with a flaw into the suite.
func (f flaw) harness(until <-chan struct{}) sinktest.Harness {
	open := func(s *shelf) auditing.Sink {
		opened := &sink{shelf: s, flaw: f, until: until}
		if f.wrap != nil {
			return f.wrap(opened)
		}
		return opened
	}
	return sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			s := &shelf{}
			again := func(context.Context) (auditing.Sink, error) { return open(s), nil }
			return sinktest.Subject{Sink: open(s), Stored: s.stored, Again: again}, nil
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			caused := func(err error) bool { return errors.Is(err, errDisk) }
			return sinktest.Fault{Sink: open(&shelf{fails: errDisk}), Caused: caused}, nil
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			s := &shelf{hangs: make(chan struct{})}
			release := sync.OnceFunc(func() { close(s.hangs) })
			return sinktest.Fault{Sink: open(s), Release: release}, nil
		},
	}
}
