package retry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

const (
	// sinkName stands in errors and metrics.
	sinkName = "retry"

	defaultWithin         = 30 * time.Second
	defaultAttemptTimeout = 5 * time.Second
	defaultFirstPause     = 100 * time.Millisecond
	defaultMaxPause       = 5 * time.Second
)

var errClosed = errors.New("the stage is closed")

// Options of New. The zero value is valid.
type Options struct {
	// Component, when not empty, becomes the label paddock.dev/component of every
	// event. It must be a label value.
	Component string
	// Within bounds all attempts of a Write and the pauses between them; 30 s when
	// 0. The caller's deadline, when it is earlier, bounds them as well.
	Within time.Duration
	// AttemptTimeout bounds one attempt; 5 s when 0. Without it a destination that
	// swallows a request would use up all the time in one attempt.
	AttemptTimeout time.Duration
	// FirstPause is the mean of the pause after the first attempt; 100 ms when 0.
	// It doubles with every attempt up to MaxPause, 5 s when 0. Each pause is
	// drawn from half its mean to one and a half of it, so that writers who failed
	// together do not come back together.
	FirstPause, MaxPause time.Duration
	// MaxAttempts is how often an event is tried at most; as often as there is
	// time for when 0.
	MaxAttempts int

	// Name is the value of the label retry of the metrics. The next sink as
	// auditing.Chain prints it when empty. Sinks of one Registerer that have the
	// same name count together.
	Name string
	// Registerer takes the metric paddock_audit_retry_attempts_total until Close.
	// nil for none.
	Registerer prometheus.Registerer
}

func (o *Options) complete() error {
	if o.Within < 0 || o.AttemptTimeout < 0 || o.FirstPause < 0 || o.MaxPause < 0 || o.MaxAttempts < 0 {
		return errors.New("retry: Within, AttemptTimeout, FirstPause, MaxPause and MaxAttempts must be at least 0")
	}
	for _, d := range []struct {
		option   *time.Duration
		standard time.Duration
	}{
		{&o.Within, defaultWithin},
		{&o.AttemptTimeout, defaultAttemptTimeout},
		{&o.FirstPause, defaultFirstPause},
		{&o.MaxPause, max(defaultMaxPause, o.FirstPause)},
	} {
		if *d.option == 0 {
			*d.option = d.standard
		}
	}
	if o.FirstPause > o.MaxPause {
		return fmt.Errorf("retry: FirstPause (%v) must not be longer than MaxPause (%v)", o.FirstPause, o.MaxPause)
	}
	return nil
}

// Sink writes every event to the next sink, again while that may help. Make one
// with New; it is safe for concurrent use.
type Sink struct {
	next    auditing.Sink
	opts    Options
	metrics *metrics
	forget  func()             // gives the metrics back, once
	send    auditing.Transport // a method value that every Write would allocate

	watches watches       // of the attempts under way
	closing chan struct{} // closed by Close: ends the pauses

	mu       sync.Mutex
	closed   bool
	underWay int
	drained  chan struct{} // made by a Close that waits; closed by the last write
}

// New returns a Sink in front of next. It refuses a nil next, options below 0, and
// a Registerer that does not take the metrics.
func New(next auditing.Sink, opts Options) (*Sink, error) {
	if next == nil {
		return nil, errors.New("retry: the sink to write to is nil: give it one")
	}
	if err := opts.complete(); err != nil {
		return nil, err
	}
	m, release, err := openMetrics(&opts, next)
	if err != nil {
		return nil, err
	}
	s := &Sink{next: next, opts: opts, metrics: m, forget: release, closing: make(chan struct{})}
	s.send = s.attempts
	return s, nil
}

// Write writes ae to the next sink until that succeeds, fails for good, or there
// is no time for another attempt. It does not begin a pause that would outlast
// the caller's deadline or Options.Within, so it may return before they pass.
//
// The error's class and RetryAfter are those of the last attempt, and timeout
// when ctx ended; within the *auditing.WriteError stands an *Error.
func (s *Sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	target := auditing.Target{Sink: sinkName, Component: s.opts.Component, Stage: true}
	return auditing.Deliver(ctx, target, ae, s.send)
}

// Close refuses later writes, ends the pauses of those under way, whose next
// attempt is not made, waits for the attempts under way until ctx ends, and
// closes the next sink. Its error says how many writes stayed unconfirmed. Close
// may be called again.
func (s *Sink) Close(ctx context.Context) error {
	defer s.forget()
	return errors.Join(s.drain(ctx), auditing.Close(ctx, s.next))
}

// Level returns the level of the next sink.
func (s *Sink) Level() auditing.Level { return auditing.LevelOf(s.next) }

// ReadsOnly returns what the next sink states.
func (s *Sink) ReadsOnly() bool { return auditing.ReadsOnly(s.next) }

// String prints the chain: "retry(kube)".
func (s *Sink) String() string { return sinkName + "(" + auditing.Chain(s.next) + ")" }

// enter counts a write, unless the sink is closed.
func (s *Sink) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return auditing.WithClass(auditing.ClassClosed, errClosed)
	}
	s.underWay++
	return nil
}

// leave counts off a write, whose last attempt counts as last.
func (s *Sink) leave(last prometheus.Counter) {
	last.Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay--
	if s.underWay == 0 && s.drained != nil {
		close(s.drained)
		s.drained = nil
	}
}

// drain refuses later writes and waits for those under way.
func (s *Sink) drain(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	if s.underWay == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.drained == nil {
		s.drained = make(chan struct{})
	}
	drained := s.drained
	s.mu.Unlock()
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
	return fmt.Errorf("closing retry: %d writes under way stay unconfirmed: %w", s.underWay, ctx.Err())
}
