package spool

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/paddock-dev/audit/auditing"
)

// maxRetryAfter bounds a pause that the destination asks for.
const maxRetryAfter = 10 * time.Minute

// sendAll is the sender: it delivers what is stored, in order, until ctx ends or
// the Sink is closed and nothing waits any more.
func (s *Sink) sendAll(ctx context.Context) {
	var underWay sync.WaitGroup
	defer s.closeReader()
	defer underWay.Wait()
	for {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		e := s.nextEntry(ctx)
		if e == nil {
			return
		}
		if s.opts.Parallel == 1 {
			s.deliver(ctx, e)
			continue
		}
		underWay.Go(func() { s.deliver(ctx, e) })
	}
}

// deliver hands an event on until the next sink takes it, or refuses it for good
// and it is a dead letter. It gives up only with ctx; the event then stays.
func (s *Sink) deliver(ctx context.Context, e *entry) {
	var pause *backoff.ExponentialBackOff
	for {
		err := s.attempt(ctx, e)
		if err == nil {
			s.metrics.delivered.Inc()
			s.forget(e)
			return
		}
		if ctx.Err() != nil {
			return
		}
		s.metrics.failures.Inc()
		class, after := auditing.ClassOf(err)
		if class == auditing.ClassPermanent {
			if s.bury(ctx, e, err) {
				s.forget(e)
			}
			return
		}
		s.opts.OnFailure(nameOf(e.event), err)
		if pause == nil {
			pause = s.backoff()
		}
		if !wait(ctx, max(pause.NextBackOff(), min(after, maxRetryAfter))) {
			return
		}
	}
}

func (s *Sink) attempt(ctx context.Context, e *entry) (err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.AttemptTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = auditing.Permanent(fmt.Errorf("panic: %v", r))
		}
	}()
	return s.next.Write(ctx, e.event)
}

// forget takes a delivered event out of the window, and with it what has been
// waiting there for it.
func (s *Sink) forget(e *entry) {
	s.mu.Lock()
	e.done = true
	e.event = nil
	e.segment.underWay--
	e.segment.waiting--
	e.segment.bytes -= e.size
	s.depth--
	s.bytes -= e.size
	var upTo uint64
	popped := 0
	for popped < len(s.window) && s.window[popped].done {
		upTo = s.window[popped].seq
		popped++
	}
	s.window = append(s.window[:0], s.window[popped:]...)
	if len(s.window) > 0 {
		s.headAt = s.window[0].at
	}
	drop := s.dropDrained()
	s.moreRoom()
	s.mu.Unlock()
	if popped > 0 {
		s.progress.advance(upTo)
	}
	s.removeAll(drop)
	for range popped {
		<-s.slots
	}
}

// backoff returns the pauses of one series of attempts. It is not safe for
// concurrent use.
func (s *Sink) backoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = s.opts.MinBackoff
	b.MaxInterval = s.opts.MaxBackoff
	b.Multiplier = 2
	b.RandomizationFactor = 0.5
	b.Reset()
	return b
}

// wait reports whether it could before ctx ended.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
