package seal

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/cenkalti/backoff/v5"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/hooks"
	"github.com/paddock-dev/audit/internal/trail"
)

// clockSkew is by how much a certificate outlasts its trail at least, on both sides, as far as
// the Authority grants it.
const clockSkew = time.Hour

// certifier has the key of a trail vouched for, and again before that ends. It has a goroutine of
// its own, so that an Authority that is away or hangs holds up no checkpoint but the first and
// the last, and those for Options.Timeout and lastCall at most. The trail goes on without.
type certifier struct {
	life *life
	now  chan struct{} // an attempt is wanted now

	// The stage's mutex guards these.
	certificate string
	valid       span // when the certificate holds
	clock       span // of the times of checkpoints, and of attempts at some
	attempts    int
	tried       chan struct{} // closed, and made again, after each attempt
}

func newCertifier(l *life) *certifier {
	c := &certifier{life: l, now: make(chan struct{}, 1), tried: make(chan struct{})}
	c.clock.add(c.time())
	return c
}

// time is the wall clock's, as in checkpoints. It may step.
func (c *certifier) time() time.Time { return c.life.stage.opts.clock().Round(0) }

// run asks the Authority until ctx ends.
func (c *certifier) run(ctx context.Context) {
	pause := &backoff.ExponentialBackOff{InitialInterval: time.Second, MaxInterval: time.Minute, Multiplier: 2, RandomizationFactor: 0.5}
	for ctx.Err() == nil {
		wait := c.attempt(ctx)
		if wait <= 0 {
			wait = pause.NextBackOff()
		} else {
			pause.Reset()
		}
		timer := time.NewTimer(max(wait, time.Second))
		select {
		case <-timer.C:
		case <-c.now:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// answer is what an Authority returns.
type answer struct {
	certificate string
	valid       span
	err         error
}

// attempt asks the Authority once. It returns when to ask again; 0 when there is no certificate.
func (c *certifier) attempt(ctx context.Context) time.Duration {
	limited, cancel := context.WithTimeout(ctx, c.life.stage.opts.Timeout)
	defer cancel()
	answers := make(chan answer, 1)
	go func() { answers <- c.ask(limited) }()
	select {
	case a := <-answers:
		return c.take(ctx, a)
	case <-limited.Done():
	}
	c.take(ctx, answer{err: fmt.Errorf("the Authority has not answered within %v", c.life.stage.opts.Timeout)})
	select { // one call at a time
	case a := <-answers:
		if a.err == nil {
			return c.take(ctx, a)
		}
	case <-ctx.Done(): // a call that ignores its context is given up
	}
	return 0
}

// ask calls the Authority. Its panic is an error.
func (c *certifier) ask(ctx context.Context) (a answer) {
	l := c.life
	l.stage.mu.Lock()
	clock := c.clock
	l.stage.mu.Unlock()
	a.valid.first = clock.first.Add(-clockSkew)
	end := clock.first.Add(l.stage.opts.MaxAge + 2*clockSkew)
	if soonest := clock.last.Add(2 * clockSkew); soonest.After(end) { // the last checkpoints may wait for a destination that is away
		end = soonest
	}
	err := hooks.Call("the Authority of a seal", func() {
		a.certificate, a.valid.last, a.err = l.stage.opts.Authority.Certify(ctx, l.key, a.valid.first, end)
	})
	if err != nil {
		return answer{err: err}
	}
	if a.err == nil {
		a.err = a.check(c.time())
	}
	return a
}

// check refuses what no checkpoint could carry. The error does not quote it.
func (a *answer) check(now time.Time) error {
	switch {
	case a.certificate == "":
		return errors.New("the Authority returned no certificate")
	case len(a.certificate) > trail.MaxText:
		return fmt.Errorf("the Authority returned a certificate of %d bytes, and a checkpoint has room for %d", len(a.certificate), trail.MaxText)
	case !utf8.ValidString(a.certificate):
		return errors.New("the Authority returned a certificate that is not UTF-8")
	case !a.valid.last.After(now):
		return fmt.Errorf("the Authority returned a certificate that has ended, at %s", a.valid.last.UTC().Format(time.RFC3339))
	}
	return nil
}

// take notes the outcome of an attempt. It returns when to make the next one; 0 after a failure.
func (c *certifier) take(ctx context.Context, a answer) time.Duration {
	l := c.life
	if a.err != nil && ctx.Err() == nil {
		l.stage.failed(nil, fmt.Errorf("the key of trail %s gets no certificate: %w", l.id, a.err))
	}
	l.stage.mu.Lock()
	defer l.stage.mu.Unlock()
	c.attempts++
	close(c.tried)
	c.tried = make(chan struct{})
	if a.err != nil {
		return 0
	}
	now := c.time()
	if !c.holds(now) { // earlier checkpoints have none: the next one need not wait for events
		l.work()
	}
	c.certificate, c.valid = a.certificate, a.valid
	left := a.valid.last.Sub(now)
	return left - min(clockSkew, left/2)
}

// lastCall is how long a trail that is to end waits for a certificate: Close has a deadline, and the last
// checkpoint has to be stored before that.
const lastCall = 2 * time.Second

// await waits for the first attempt, for one after the clock has stepped out of the certificate's time, and before
// the last checkpoint for one that may still bring a certificate.
func (c *certifier) await(ctx context.Context, kind v1alpha1.AuditKind) {
	l, now := c.life, c.time()
	l.stage.mu.Lock()
	c.clock.add(now)
	tried, first := c.tried, c.attempts == 0
	again := !c.holds(now) && (c.certificate != "" || kind == canonical.KindTrailClosed)
	l.stage.mu.Unlock()
	if !first && !again {
		return
	}
	if !first {
		select {
		case c.now <- struct{}{}:
		default:
		}
	}
	timer := time.NewTimer(l.stage.opts.Timeout)
	defer timer.Stop()
	for ending := false; ; {
		if !ending && l.isEnding() {
			ending = true
			timer.Reset(min(lastCall, l.stage.opts.Timeout))
		}
		select {
		case <-l.wake: // maybe because it is to end; what is due is looked at afterwards
		case <-tried:
			return
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// current returns the certificate that is valid now; "" for none. The stage's mutex is held.
func (c *certifier) current() string {
	if c == nil || !c.holds(c.time()) {
		return ""
	}
	return c.certificate
}

// certificate returns the certificate that is valid now; "" for none.
func (l *life) certificate() string {
	l.stage.mu.Lock()
	defer l.stage.mu.Unlock()
	return l.certifier.current()
}

// holds reports that the certificate is valid at a time. The stage's mutex is held.
func (c *certifier) holds(at time.Time) bool {
	return !at.Before(c.valid.first) && at.Before(c.valid.last)
}
