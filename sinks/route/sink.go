package route

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/options"
)

// sinkName stands in errors and metrics.
const sinkName = "route"

// Rest says what becomes of an event that no route takes.
type Rest string

const (
	// RestFails makes Write fail with ClassPermanent: it is the default.
	RestFails Rest = "fail"
	// RestDropped makes Write return nil without storing the event. The metric
	// paddock_audit_route_dropped_total counts it.
	RestDropped Rest = "drop"
)

// Options of New. The zero value refuses events that no route takes.
type Options struct {
	// Component, when not empty, becomes the label paddock.dev/component of every
	// event. It must be a label value, and that of the sinks that have one, which is used
	// when this is empty.
	Component string
	// Rest says what becomes of an event that no route takes; RestFails when empty.
	Rest Rest `yaml:"rest" default:"fail" enum:"fail,drop" doc:"what becomes of an event that no route takes: fail returns an error, drop stores it nowhere and counts it"`

	// Name is the value of the label route of the metrics; the sink as auditing.Chain
	// prints it when empty. Sinks of one Registerer that have the same name count together.
	Name string
	// Registerer takes the metric paddock_audit_route_dropped_total until Close; nil for
	// none.
	Registerer prometheus.Registerer
}

// Validate returns everything that is wrong with the options. New asks it as well.
func (o Options) Validate() error { return options.Complete(&o) }

// Sink hands each event to the sink of the first route that takes it. Make one with
// New; it is safe for concurrent use.
//
// Write returns what that sink returns. Of several events at once, those of one sink are
// handed to it together, and all sinks are written to at the same time.
//
// Check asks all sinks, and its error names those that fail. Close refuses later writes,
// waits for those under way until ctx ends, and closes each sink once. The level is the
// lowest of the sinks: it says nothing of events that are dropped.
type Sink struct{ driver.Sink }

// New returns a Sink over routes. It refuses to have none, one without a sink, one with a
// bad pattern, one behind a route that takes everything, and sinks that write for
// different components.
func New(routes []Route, opts Options) (*Sink, error) {
	if len(routes) == 0 {
		return nil, errors.New("route: there are no routes: give at least one")
	}
	if err := options.Complete(&opts); err != nil {
		return nil, fmt.Errorf("route: %w", err)
	}
	s := &stage{routes: slices.Clone(routes), drops: opts.Rest == RestDropped}
	for i := range s.routes {
		r := &s.routes[i]
		if err := r.Check(); err != nil {
			return nil, fmt.Errorf("route: route %d: %w", i, err)
		}
		if r.Sink == nil {
			return nil, fmt.Errorf("route: route %d has no sink: give it one", i)
		}
		if r.takesAll() && i < len(routes)-1 {
			return nil, fmt.Errorf("route: route %d takes every event, and nothing is left for those behind it: put it last", i)
		}
		s.to = append(s.to, s.target(r))
	}
	if err := s.inform(opts.Component); err != nil {
		return nil, fmt.Errorf("route: %w", err)
	}
	var err error
	if s.dropped, s.forget, err = openMetrics(&opts, s.info.Chain); err != nil {
		return nil, err
	}
	return &Sink{driver.New(s)}, nil
}

// stage is the Driver of a Sink.
type stage struct {
	driver.Gate
	routes  []Route
	to      []int // of each route, the index of its target
	targets []target
	drops   bool
	info    driver.Info
	dropped prometheus.Counter
	forget  func() // gives the metrics back, once
}

// target is a sink that at least one route goes to.
type target struct {
	sink  auditing.Sink
	next  driver.Driver
	place string
}

// target returns the index of a route's target, and adds it when it is new.
func (s *stage) target(r *Route) int {
	for i, t := range s.targets {
		if same(t.sink, r.Sink) {
			return i
		}
	}
	next := driver.Of(r.Sink)
	s.targets = append(s.targets, target{r.Sink, next, cmp.Or(r.Place, next.Info().Chain)})
	return len(s.targets) - 1
}

// inform makes the stage's Info of those behind it.
func (s *stage) inform(component string) error {
	info := driver.Info{
		Name: sinkName, Namespaced: true, Repeats: driver.RepeatsRecognised, Level: auditing.LevelAcknowledged,
	}
	var drivers []driver.Driver
	for _, t := range s.targets {
		next := t.next.Info()
		drivers = append(drivers, t.next)
		info.Level = min(info.Level, next.Level)
		info.Repeats = min(info.Repeats, next.Repeats)
		info.Redacts = info.Redacts || next.Redacts
		info.Namespaced = info.Namespaced && next.Namespaced
		if next.Batch > 0 && (info.Batch == 0 || next.Batch < info.Batch) {
			info.Batch = next.Batch
		}
	}
	var parts []string
	for i := range s.routes {
		parts = append(parts, s.routes[i].String()+": "+s.targets[s.to[i]].next.Info().Chain)
	}
	if s.drops {
		parts = append(parts, "rest: dropped")
	}
	info.Chain = sinkName + "[" + strings.Join(parts, ", ") + "]"
	var err error
	info.Component, err = driver.Component(component, drivers...)
	s.info = info
	return err
}

// Info returns what inform made.
func (s *stage) Info() driver.Info { return s.info }

// Store hands each event to its target, and one in which a sealed trail speaks of itself to
// all targets: each holds events that it covers.
func (s *stage) Store(ctx context.Context, events []*driver.Event) []error {
	if err := s.Enter(len(events)); err != nil {
		return driver.All(len(events), err)
	}
	defer s.Leave(len(events))
	if len(events) == 1 {
		to, err := s.find(ctx, events[0])
		if to < 0 {
			return driver.All(1, err)
		}
		return s.targets[to].next.Store(ctx, events)
	}
	errs := make([]error, len(events))
	shares := make([]share, len(s.targets))
	for i, e := range events {
		to, err := s.find(ctx, e)
		if to < 0 {
			errs[i] = err
			continue
		}
		shares[to].events = append(shares[to].events, e)
		shares[to].at = append(shares[to].at, i)
	}
	var writing sync.WaitGroup
	for to := range shares {
		if len(shares[to].events) > 0 {
			writing.Go(func() { shares[to].store(ctx, s.targets[to].next, errs) })
		}
	}
	writing.Wait()
	return errs
}

// share is what one target gets of several events.
type share struct {
	events []*driver.Event
	at     []int // where they stand among all
}

func (s *share) store(ctx context.Context, next driver.Driver, errs []error) {
	for i, err := range next.Store(ctx, s.events) {
		errs[s.at[i]] = err
	}
}

// find returns the target of an event. When that is below 0, the event goes to none any
// more, and err is its outcome.
func (s *stage) find(ctx context.Context, e *driver.Event) (to int, err error) {
	if e.OfTrail() {
		return -1, s.all(func(next driver.Driver) error { return errors.Join(next.Store(ctx, e.Alone())...) })
	}
	for i := range s.routes {
		if s.routes[i].takes(e) {
			s.onlyTo(e, s.to[i])
			return s.to[i], nil
		}
	}
	if s.drops {
		s.onlyTo(e, -1)
		s.dropped.Inc()
		return -1, nil
	}
	return -1, driver.Permanent(fmt.Errorf("no route takes kind %s, decision %s in namespace %q: add a route for it, or one without lists that takes the rest",
		e.Kind(), e.Decision(), e.Namespace()))
}

// onlyTo declares that the targets but one lack an event.
func (s *stage) onlyTo(e *driver.Event, to int) {
	for i := range s.targets {
		if i != to {
			driver.Lacks(e, s.targets[i].place)
		}
	}
}

// Check asks all targets at once.
func (s *stage) Check(ctx context.Context) error {
	return s.all(func(next driver.Driver) error { return next.Check(ctx) })
}

// Drain drains all targets at once.
func (s *stage) Drain(ctx context.Context) error {
	return s.all(func(next driver.Driver) error { return driver.Drain(ctx, next) })
}

// Close waits for the writes under way, and closes all targets at once.
func (s *stage) Close(ctx context.Context) error {
	defer s.forget()
	return errors.Join(s.Gate.Close(ctx), s.all(func(next driver.Driver) error { return next.Close(ctx) }))
}

// all calls a function with every target at once. Its error names those that fail.
func (s *stage) all(call func(next driver.Driver) error) error {
	errs := make([]error, len(s.targets))
	var calls sync.WaitGroup
	for i, t := range s.targets {
		calls.Go(func() {
			if err := call(t.next); err != nil {
				errs[i] = fmt.Errorf("%s: %w", t.next.Info().Chain, err)
			}
		})
	}
	calls.Wait()
	return errors.Join(errs...)
}

// same reports that two sinks are one. Sinks that cannot be compared are not.
func same(a, b auditing.Sink) (is bool) {
	defer func() { _ = recover() }() // the comparison panics for them
	return a == b
}
