package retry

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// attempts is the transport of Write.
func (s *Sink) attempts(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	if err := s.enter(); err != nil {
		return err
	}
	last := s.metrics.refused // a panic of the next sink is an error for good
	defer func() { s.leave(last) }()
	start := time.Now()
	err := s.attempt(ctx, start, s.opts.AttemptTimeout, ae)
	if err != nil {
		last, err = s.again(ctx, start, ae, err)
		return err
	}
	last = s.metrics.ok
	return nil
}

// attempt writes once, under a context that ends timeout after now: the caller's
// own where that ends in time.
func (s *Sink) attempt(ctx context.Context, now time.Time, timeout time.Duration, ae *v1alpha1.AuditEvent) error {
	timeout = min(timeout, s.opts.Within)
	if theirs, ok := ctx.Deadline(); ok && theirs.Sub(now) <= timeout {
		return s.next.Write(ctx, ae)
	}
	cut := newCutoff()
	cut.begin(ctx, now, timeout, &s.watches)
	defer cut.end()
	return s.next.Write(cut, ae)
}

// again makes the attempts after the first, which began at start and failed with
// err. It returns what the last of them counts as.
func (s *Sink) again(ctx context.Context, start time.Time, ae *v1alpha1.AuditEvent, err error) (prometheus.Counter, error) {
	pauses := backoff.ExponentialBackOff{
		InitialInterval: s.opts.FirstPause, MaxInterval: s.opts.MaxPause,
		Multiplier: 2, RandomizationFactor: 0.5,
	}
	e := &Error{Attempts: 1}
	for {
		e.add(err)
		class, asked := auditing.ClassOf(err)
		now := time.Now()
		e.Elapsed = now.Sub(start)
		if class == auditing.ClassPermanent || class == auditing.ClassClosed {
			return s.metrics.refused, e.classified(ctx)
		}
		if ctx.Err() != nil {
			break
		}
		if e.Attempts == s.opts.MaxAttempts {
			e.GaveUp = "no further attempt is allowed"
			break
		}
		asked = max(asked, 0)
		pause, left := pauses.NextBackOff(), s.left(ctx, start, now)
		if asked >= left || pause >= left-asked { // their sum may be more than a duration can be
			e.GaveUp = gaveUp(pause, asked, left)
			break
		}
		pause += asked
		if reason := s.pause(ctx, pause); reason != nil {
			e.Elapsed = time.Since(start)
			e.interrupt(reason)
			break
		}
		s.metrics.again.Inc()
		e.Attempts++
		now = time.Now()
		err = s.attempt(ctx, now, min(s.opts.AttemptTimeout, s.left(ctx, start, now)), ae)
		if err == nil {
			return s.metrics.ok, nil
		}
	}
	return s.metrics.gaveUp, e.classified(ctx)
}

// left returns how much time there is from now on.
func (s *Sink) left(ctx context.Context, start, now time.Time) time.Duration {
	left := s.opts.Within - now.Sub(start)
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, deadline.Sub(now))
	}
	return left
}

// gaveUp says why asked and pause together do not fit into left.
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
func (s *Sink) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return errClosed
	}
}
