package retry

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/driver"
)

// failed is an event whose last attempt failed.
type failed struct {
	event *driver.Event
	at    int    // its index in the events of Store
	err   *Error // of all its attempts; nil before the first failure
}

// Store hands events to the next driver, and hands those that failed to it again, as
// long as another attempt may help.
func (s *stage) Store(ctx context.Context, events []*driver.Event) []error {
	if err := s.Enter(len(events)); err != nil {
		return driver.All(len(events), err)
	}
	defer s.Leave(len(events))
	start := time.Now()
	errs := s.attempt(ctx, start, start, events)
	if errs == nil {
		s.metrics.ok.Add(float64(len(events)))
		return nil
	}
	return s.again(ctx, start, events, errs)
}

// attempt hands events on once. Its context ends after Timeout, or after the rest
// of Within when that is shorter.
func (s *stage) attempt(ctx context.Context, start, now time.Time, events []*driver.Event) []error {
	timeout := min(s.opts.Timeout, s.opts.Within-now.Sub(start))
	if theirs, ok := ctx.Deadline(); ok && theirs.Sub(now) <= timeout {
		return s.next.Store(ctx, events)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return s.next.Store(ctx, events)
}

// again makes the attempts after the first, which began at start and gave errs.
func (s *stage) again(ctx context.Context, start time.Time, events []*driver.Event, errs []error) []error {
	pauses := backoff.ExponentialBackOff{
		InitialInterval: s.opts.MinBackoff, MaxInterval: s.opts.MaxBackoff,
		Multiplier: 2, RandomizationFactor: 0.5,
	}
	outcomes := make([]error, len(events))
	tried := make([]failed, len(events)) // in the last attempt
	for i, e := range events {
		tried[i] = failed{event: e, at: i}
	}
	for {
		now := time.Now()
		pause, left := pauses.NextBackOff(), s.left(ctx, start, now)
		var asked time.Duration
		rest := tried[:0]
		for i, f := range tried {
			if len(errs) == 0 || errs[i] == nil {
				s.metrics.ok.Inc()
				continue
			}
			if f.err == nil {
				f.err = &Error{}
			}
			f.err.add(errs[i])
			f.err.Elapsed = now.Sub(start)
			own, end := s.judge(ctx, f.err, pause, left)
			if end != nil {
				end.Inc()
				outcomes[f.at] = f.err.classified(ctx)
				continue
			}
			asked = max(asked, own)
			rest = append(rest, f)
		}
		if len(rest) == 0 {
			return outcomes
		}
		if reason := s.pause(ctx, asked+pause); reason != nil {
			for _, f := range rest {
				f.err.Elapsed, f.err.interrupted = time.Since(start), reason
				s.metrics.gaveUp.Inc()
				outcomes[f.at] = f.err.classified(ctx)
			}
			return outcomes
		}
		s.metrics.again.Add(float64(len(rest)))
		tried = rest
		errs = s.attempt(ctx, start, time.Now(), eventsOf(tried))
	}
}

func eventsOf(tried []failed) []*driver.Event {
	events := make([]*driver.Event, len(tried))
	for i, f := range tried {
		events[i] = f.event
	}
	return events
}

// judge returns the pause that the destination asked for before the next attempt at an
// event. When there is no next attempt, end is the counter of the last one.
func (s *stage) judge(ctx context.Context, e *Error, pause, left time.Duration) (asked time.Duration, end prometheus.Counter) {
	class, asked := driver.ClassOf(e.last())
	asked = max(asked, 0)
	switch {
	case driver.Final(class):
		return 0, s.metrics.refused
	case ctx.Err() != nil: // the error says so
	case e.Attempts == s.opts.MaxAttempts:
		e.GaveUp = "no further attempt is allowed"
	case asked >= left || pause >= left-asked: // their sum might overflow
		e.GaveUp = gaveUp(pause, asked, left)
	default:
		return asked, nil
	}
	return 0, s.metrics.gaveUp
}

// left returns how much time is left at now.
func (s *stage) left(ctx context.Context, start, now time.Time) time.Duration {
	left := s.opts.Within - now.Sub(start)
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, deadline.Sub(now))
	}
	return left
}

// gaveUp says why the sum of asked and pause does not fit into left.
func gaveUp(pause, asked, left time.Duration) string {
	left = max(left, 0).Round(time.Millisecond)
	switch {
	case left == 0:
		return "and there is no time left"
	case asked >= left:
		return fmt.Sprintf("the destination asked for a pause of %v, and there are %v left", asked, left)
	}
	return fmt.Sprintf("the next attempt would come after %v, and there are %v left", (asked + pause).Round(time.Millisecond), left)
}

// pause waits for d. It returns why it could not.
func (s *stage) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.Closing():
		return errClosed
	}
}
