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
	"github.com/paddock-dev/audit/driver"
)

var (
	errClosed = errors.New("closed")
	errExists = errors.New("exists already")

	errOtherEvent = errors.New("another event has this name")
)

// shelf is a destination in memory. A put takes some time, and may overtake another.
type shelf struct {
	mu     sync.Mutex
	events []*v1alpha1.AuditEvent
	fails  error         // returned by every put
	tells  bool          // whether a put tells a repeat from another event with the same name
	hangs  chan struct{} // holds every put until it is closed
}

const shelfLatency = 100 * time.Microsecond

// answer waits for the time that a put takes, or until ctx ends.
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

// keep stores ae without a copy. It returns errExists when the name is taken, and
// errOtherEvent when the shelf can tell that another event than e has the name.
func (s *shelf) keep(e *driver.Event, ae *v1alpha1.AuditEvent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, before := range s.events {
		if before.Name != ae.Name {
			continue
		}
		if s.tells && !e.Same(before) {
			return driver.Permanent(errOtherEvent)
		}
		return errExists
	}
	s.events = append(s.events, ae)
	return nil
}

// put stores an event as a sound sink does.
func (s *shelf) put(ctx context.Context, e *driver.Event) error { return s.putAs(ctx, e, e.Object()) }

// putAs stores ae instead of e.
func (s *shelf) putAs(ctx context.Context, e *driver.Event, ae *v1alpha1.AuditEvent) error {
	if err := s.answer(ctx); err != nil {
		return err
	}
	if err := s.keep(e, ae); !errors.Is(err, errExists) {
		return err
	}
	return nil
}

// records returns how many events are stored under a name.
func (s *shelf) records(_ context.Context, name string) (n int, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ae := range s.events {
		if ae.Name == name {
			n++
		}
	}
	return n, nil
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

// folded returns what is stored, with one event for each name.
func (s *shelf) folded(ctx context.Context) ([]v1alpha1.AuditEvent, error) {
	events, err := s.stored(ctx)
	seen := map[string]bool{}
	return slices.DeleteFunc(events, func(ae v1alpha1.AuditEvent) bool {
		defer func() { seen[ae.Name] = true }()
		return seen[ae.Name]
	}), err
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
		return driver.WithClass(auditing.ClassClosed, errClosed)
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

// sink is a sound sink in front of a shelf, except for the methods that its flaw
// replaces.
type sink struct {
	driver.Sink

	shelf *shelf
	gate  gate
	flaw  flaw
	until <-chan struct{} // closed when the test ends
	mine  sync.Map        // for the flaw to keep values in
}

// flaw is one way to break the contract.
type flaw struct {
	name string
	// breaks are all the clauses that reject a sink with this flaw. The first is the
	// clause that the flaw was made for.
	breaks []string
	write  func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error // the sink's Write
	store  func(s *sink, ctx context.Context, events []*driver.Event) []error
	send   func(s *sink, ctx context.Context, e *driver.Event) error // of one event
	info   func(info *driver.Info)
	check  func(s *sink, ctx context.Context) error
	close  func(s *sink, ctx context.Context) error
	wrap   func(s *sink) auditing.Sink
	// recognises says that the destination tells a repeat from another event with the
	// same name. folds says that readers of the destination take several records with
	// one name for one event.
	recognises, folds bool
	// races says that the race detector finds the flaw. It then ends the test, which is
	// also a way to reject a sink.
	races bool
}

// Write is the flaw's Write, or that of driver.Sink when the flaw has none.
func (s *sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	if s.flaw.write != nil {
		return s.flaw.write(s, ctx, ae)
	}
	return s.deliver(ctx, ae)
}

// deliver is the Write of a sound sink.
func (s *sink) deliver(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return s.Sink.Write(ctx, ae)
}

// deliverWith is a Write that sends the event with the given function.
func (s *sink) deliverWith(ctx context.Context, ae *v1alpha1.AuditEvent, send func(context.Context, *driver.Event) error) error {
	return driver.Write(ctx, shelving{sink: s, send: send}, ae)
}

// shelving is the driver of a sink.
type shelving struct {
	*sink
	send func(context.Context, *driver.Event) error
}

func (d shelving) Info() driver.Info {
	info := driver.Info{Name: "shelf", Level: auditing.LevelAcknowledged}
	if d.flaw.recognises {
		info.Repeats = driver.RepeatsRecognised
	}
	if d.flaw.info != nil {
		d.flaw.info(&info)
	}
	return info
}

func (d shelving) Store(ctx context.Context, events []*driver.Event) []error {
	if d.flaw.store != nil {
		return d.flaw.store(d.sink, ctx, events)
	}
	return driver.Each(ctx, events, d.send)
}

func (d shelving) Check(ctx context.Context) error {
	if d.flaw.check != nil {
		return d.flaw.check(d.sink, ctx)
	}
	return d.shelf.answer(ctx)
}

func (d shelving) Close(ctx context.Context) error {
	if d.flaw.close != nil {
		return d.flaw.close(d.sink, ctx)
	}
	return d.gate.close(ctx)
}

// transport stores one event.
func (s *sink) transport(ctx context.Context, e *driver.Event) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	if s.flaw.send != nil {
		return s.flaw.send(s, ctx, e)
	}
	return s.shelf.put(ctx, e)
}

// harness returns a Harness whose sinks have the flaw.
func (f flaw) harness(until <-chan struct{}) sinktest.Harness {
	open := func(s *shelf) auditing.Sink {
		s.tells = f.recognises
		opened := &sink{shelf: s, flaw: f, until: until}
		opened.Sink = driver.New(shelving{sink: opened, send: opened.transport})
		if f.wrap != nil {
			return f.wrap(opened)
		}
		return opened
	}
	return sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			s := &shelf{}
			again := func(context.Context) (auditing.Sink, error) { return open(s), nil }
			stored := s.stored
			if f.folds {
				stored = s.folded
			}
			return sinktest.Subject{Sink: open(s), Stored: stored, Records: s.records, Again: again}, nil
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
