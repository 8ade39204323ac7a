package flood

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/time/rate"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
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
//
// Write writes an event to the next sink at once, or waits until it has gone there
// as part of a summary. nil means the same either way. An error of the summary is
// that of every event in it; an event written again after an error is counted once.
// When ctx ends first, Write returns at once: its error says whether the event was
// taken out of the summary, or the outcome is unknown.
//
// Close refuses later writes, sends every open summary at once, waits for all that
// is under way until ctx ends, and closes the next sink. Its error says how many
// collapsed events and other writes stayed unconfirmed; the summaries among them are
// cancelled, and their writers return.
//
// Level is that of the next sink, and String prints the chain: "flood(kube)".
type Sink struct{ driver.Sink }

// New returns a Sink in front of next. It refuses a nil next, options out of range, a
// component other than that of next, and a Registerer that does not take the
// metrics.
func New(next auditing.Sink, opts Options) (*Sink, error) {
	s, err := newStage(next, opts)
	if err != nil {
		return nil, err
	}
	return &Sink{driver.New(s)}, nil
}

// stage is the Driver of a Sink.
type stage struct {
	next, summaries driver.Driver // summaries is next under the name summaryName
	info            driver.Info
	opts            Options
	standAlone      map[v1alpha1.AuditKind]struct{}
	metrics         *metrics
	background      context.Context    //nolint:containedctx // of the summaries, which have no caller
	cancel          context.CancelFunc // of background
	forget          func()             // gives the metrics back, once

	mu       sync.Mutex
	closed   bool
	underWay int           // events and summaries that next has
	drained  chan struct{} // made by a Close that waits; closed by the last write
	limiters map[string]*rate.Limiter
	windows  map[key]*window
	ending   []*window            // all of them, in the order in which they end
	across   map[key]*group       // the open summaries across runs, by a key without a run
	open     map[*group]bool      // all that are not sent yet
	waiting  map[identity]*member // of summaries without an outcome
	memory   memory
	failed   []*summary // that may be sent again, the oldest first
}

func newStage(next auditing.Sink, opts Options) (*stage, error) {
	if next == nil {
		return nil, errors.New("flood: the sink to write to is nil: give it one")
	}
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("flood: %w", err)
	}
	if opts.Rate < 0 {
		opts.Rate = float64(rate.Inf)
	}
	to := driver.Of(next)
	info := to.Info()
	component, err := driver.Component(opts.Component, to)
	if err != nil {
		return nil, fmt.Errorf("flood: %w", err)
	}
	m, release, err := openMetrics(&opts, info.Chain)
	if err != nil {
		return nil, err
	}
	info.Name, info.Chain, info.Component = sinkName, sinkName+"("+info.Chain+")", component
	s := &stage{
		next: to, summaries: driver.Named(to, summaryName),
		info: info, opts: opts, metrics: m, forget: release,
		standAlone: map[v1alpha1.AuditKind]struct{}{},
		limiters:   map[string]*rate.Limiter{},
		windows:    map[key]*window{},
		across:     map[key]*group{},
		open:       map[*group]bool{},
		waiting:    map[identity]*member{},
		memory:     newMemory(opts.Remember),
	}
	for _, kind := range opts.StandAlone {
		s.standAlone[kind] = struct{}{}
	}
	s.background, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Info is that of the next sink, but for the names.
func (s *stage) Info() driver.Info { return s.info }

// Check asks the next sink.
func (s *stage) Check(ctx context.Context) error { return s.next.Check(ctx) }

// limiter returns the token bucket of a component. Those beyond the first
// hundred share one.
func (s *stage) limiter(component string) *rate.Limiter {
	l, ok := s.limiters[component]
	if !ok && len(s.limiters) >= maxLimiters {
		component = ""
		l, ok = s.limiters[component]
	}
	if !ok {
		l = rate.NewLimiter(rate.Limit(s.opts.Rate), s.opts.Burst)
		s.limiters[component] = l
	}
	return l
}

// Close flushes, and closes the next sink.
func (s *stage) Close(ctx context.Context) error {
	defer s.forget()
	return errors.Join(s.flush(ctx), s.next.Close(ctx))
}

// flush refuses later events, sends the open summaries, and waits for all that is
// under way.
func (s *stage) flush(ctx context.Context) error {
	defer s.cancel()
	s.mu.Lock()
	s.closed = true
	for g := range s.open {
		if sum := s.seal(g); sum != nil {
			go s.deliver(sum, g)
		}
	}
	if s.underWay > 0 && s.drained == nil {
		s.drained = make(chan struct{})
	}
	drained := s.drained
	s.mu.Unlock()
	if drained == nil {
		return nil
	}
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.underWay == 0 {
		return nil
	}
	return fmt.Errorf("closing flood: %d writes under way and the %d events collapsed in them stay unconfirmed: %w",
		s.underWay, len(s.waiting), ctx.Err())
}
