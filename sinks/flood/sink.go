package flood

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/time/rate"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

const (
	// sinkName stands in errors and metrics, summaryName in the metrics of what
	// the stage writes itself.
	sinkName    = "flood"
	summaryName = "flood-summary"

	// maxLimiters bounds the components with a token bucket of their own.
	maxLimiters = 100
)

// Sink collapses events on their way to the next sink. Make one with New; it is
// safe for concurrent use.
type Sink struct {
	next       auditing.Sink
	opts       Options
	standAlone map[v1alpha1.AuditKind]struct{}
	metrics    *metrics
	send       auditing.Transport // a method value that every Write would allocate
	background context.Context    //nolint:containedctx // of the summaries, which have no caller
	cancel     context.CancelFunc // of background
	forget     func()             // gives the metrics back, once

	mu             sync.Mutex
	closed         bool
	underWay       int           // writes to next
	drained        chan struct{} // made by a Close that waits; closed by the last write
	limiters       map[string]*rate.Limiter
	windows        map[key]*window
	oldest, newest *window              // of windows, in the order in which they end
	unused         *window              // to serve again, linked
	across         map[key]*group       // the open summaries across runs, by a key without a run
	open           map[*group]struct{}  // all that are not sent yet
	waiting        map[identity]*member // of summaries without an outcome
	memory         memory
	failed         []*summary // that may be sent again, the oldest first
}

// New returns a Sink in front of next. It refuses a nil next, options below 0, and
// a Registerer that does not take the metrics.
func New(next auditing.Sink, opts Options) (*Sink, error) {
	if next == nil {
		return nil, errors.New("flood: the sink to write to is nil: give it one")
	}
	if err := opts.complete(); err != nil {
		return nil, err
	}
	m, release, err := openMetrics(&opts, next)
	if err != nil {
		return nil, err
	}
	s := &Sink{
		next: next, opts: opts, metrics: m, forget: release,
		standAlone: map[v1alpha1.AuditKind]struct{}{},
		limiters:   map[string]*rate.Limiter{},
		windows:    map[key]*window{},
		across:     map[key]*group{},
		open:       map[*group]struct{}{},
		waiting:    map[identity]*member{},
		memory:     newMemory(opts.Remember),
	}
	for _, kind := range opts.StandAlone {
		s.standAlone[kind] = struct{}{}
	}
	s.send = s.pass
	s.background, s.cancel = context.WithCancel(auditing.Nested(context.Background()))
	return s, nil
}

// Write writes ae to the next sink at once, or waits until it has gone there as
// part of a summary. nil means the same either way. An error of the summary is
// that of every event in it; an event written again after an error is counted
// once. When ctx ends first, Write returns at once: its error says whether the
// event was taken out of the summary, or the outcome is unknown.
func (s *Sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	target := auditing.Target{Sink: sinkName, Component: s.opts.Component, Stage: true}
	return auditing.Deliver(ctx, target, ae, s.send)
}

// Level returns the level of the next sink.
func (s *Sink) Level() auditing.Level { return auditing.LevelOf(s.next) }

// String prints the chain: "flood(kube)".
func (s *Sink) String() string { return sinkName + "(" + auditing.Chain(s.next) + ")" }

// pass is the transport of Write.
func (s *Sink) pass(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	t, err := s.admit(ae)
	switch {
	case err != nil:
		return err
	case t.attempt != nil:
		return s.await(ctx, t)
	case t.stored:
		return nil
	}
	defer s.leave()
	return s.next.Write(ctx, ae)
}

// leave counts off a write to next.
func (s *Sink) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left()
}

// left is leave for who holds s.mu.
func (s *Sink) left() {
	s.underWay--
	if s.underWay == 0 && s.drained != nil {
		close(s.drained)
		s.drained = nil
	}
}

// limiter returns the token bucket of a component. Those beyond the first
// hundred share one.
func (s *Sink) limiter(component string) *rate.Limiter {
	l, ok := s.limiters[component]
	if !ok && len(s.limiters) >= maxLimiters {
		component = ""
		l, ok = s.limiters[component]
	}
	if !ok {
		l = s.opts.limiter()
		s.limiters[component] = l
	}
	return l
}
