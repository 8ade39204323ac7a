package retry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/options"
)

// sinkName stands in errors and metrics.
const sinkName = "retry"

var errClosed = errors.New("the stage is closed")

// Options of New. The zero value is valid.
type Options struct {
	// Component, when not empty, becomes the label paddock.dev/component of every
	// event. It must be a label value. Where the next sink has a component, it must be
	// the same; when empty, that of the next sink is used.
	Component string
	// Within bounds all attempts at an event and the pauses between them; 30 s when
	// 0. The caller's deadline, when it is earlier, bounds them as well.
	Within time.Duration `yaml:"within" default:"30s" min:"1ms" max:"24h" doc:"bound of all attempts of one write"`
	// Timeout bounds one attempt, of all events that are written at once; 5 s when 0.
	// Without it a destination that swallows a request would use up all the time in
	// one attempt. It includes all the time that the destination waits inside, for
	// its turn or for others to share a request with: make it longer than the
	// destination's own timeout, or it cuts each request short.
	Timeout time.Duration `yaml:"timeout" default:"5s" min:"1ms" max:"24h" doc:"bound of one attempt"`
	// MinBackoff is the mean of the pause after the first attempt; 100 ms when 0.
	// It doubles with every attempt up to MaxBackoff. Each pause is drawn from half
	// its mean to one and a half of it, so that writers that failed together do
	// not write again together.
	MinBackoff time.Duration `yaml:"minBackoff" default:"100ms" min:"1us" max:"24h" doc:"mean of the pause after the first attempt; it doubles with each"`
	// MaxBackoff is the longest mean of a pause; 5 s when 0, or MinBackoff where that
	// is longer.
	MaxBackoff time.Duration `yaml:"maxBackoff" default:"5s" min:"1us" max:"24h" doc:"longest mean of a pause"`
	// MaxAttempts is how often an event is tried at most; as often as there is
	// time for when 0.
	MaxAttempts int `yaml:"maxAttempts" min:"0" max:"1000000" doc:"attempts of one write at most; 0 for as many as there is time for"`

	// Name is the value of the label retry of the metrics. The next sink as
	// auditing.Chain prints it when empty. Sinks of one Registerer that have the
	// same name count together.
	Name string
	// Registerer takes the metric paddock_audit_retry_attempts_total until Close.
	// nil for none.
	Registerer prometheus.Registerer
}

// Validate returns everything that is wrong with the options. New asks it as well.
func (o Options) Validate() error { return o.complete() }

func (o *Options) complete() error {
	anyMax := o.MaxBackoff == 0
	err := options.Complete(o)
	if anyMax {
		o.MaxBackoff = max(o.MaxBackoff, o.MinBackoff)
	}
	if o.MinBackoff > o.MaxBackoff {
		err = errors.Join(err, options.At(*o, "MaxBackoff", "must be at least minBackoff"))
	}
	return err
}

// Sink writes every event to the next sink, again while that may help. Make one
// with New; it is safe for concurrent use.
//
// Write returns when the next sink has stored the event, when that failed for good,
// or when there is no time for another attempt. It does not begin a pause that would
// outlast the caller's deadline or Options.Within, so it may return before they
// pass. The error's class and RetryAfter are those of the last attempt, and timeout
// when ctx ended; within the *auditing.WriteError stands an *Error.
//
// Of several events at once those that failed are attempted again together, after
// the longest pause that was asked for any of them. Each has an *Error of its own.
//
// Close refuses later writes, ends the pauses of those under way, whose next attempt
// is not made, waits for the attempts under way until ctx ends, and closes the next
// sink. Its error says how many writes stayed unconfirmed. Check asks the next sink.
// The level is that of the next sink, and so is the component unless Options names
// one.
type Sink struct{ driver.Sink }

// New returns a Sink in front of next. It refuses a nil next, options out of range, a
// component that is not that of next, and a Registerer that does not take the
// metrics.
func New(next auditing.Sink, opts Options) (*Sink, error) {
	if next == nil {
		return nil, errors.New("retry: the sink to write to is nil: give it one")
	}
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("retry: %w", err)
	}
	s := &stage{next: driver.Of(next), opts: opts}
	s.info = s.next.Info()
	component, err := driver.Component(opts.Component, s.next)
	if err != nil {
		return nil, fmt.Errorf("retry: %w", err)
	}
	if s.metrics, s.forget, err = openMetrics(&opts, s.info.Chain); err != nil {
		return nil, err
	}
	s.info.Name, s.info.Chain, s.info.Component = sinkName, sinkName+"("+s.info.Chain+")", component
	return &Sink{driver.New(s)}, nil
}

// stage is the Driver of a Sink.
type stage struct {
	driver.Gate
	next    driver.Driver
	info    driver.Info
	opts    Options
	metrics *metrics
	forget  func() // gives the metrics back, once
}

// Info returns that of the next driver, with this stage's name and component.
func (s *stage) Info() driver.Info { return s.info }

// Check asks the next driver.
func (s *stage) Check(ctx context.Context) error { return s.next.Check(ctx) }

// Drain drains the next driver.
func (s *stage) Drain(ctx context.Context) error { return driver.Drain(ctx, s.next) }

// Close waits for the attempts under way and closes the next driver.
func (s *stage) Close(ctx context.Context) error {
	defer s.forget()
	return errors.Join(s.Gate.Close(ctx), s.next.Close(ctx))
}
