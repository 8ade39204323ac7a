package spool

import (
	"context"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/recordlog"
)

const (
	// maxRetryAfter bounds a pause that the destination asks for.
	maxRetryAfter = 10 * time.Minute
	// probeAfter is how often the oldest event fails by itself before a later one is
	// tried as well.
	probeAfter = 3
	// leastProbes is how many events are held to choose from then, however large.
	leastProbes = 16
	// maxAlone bounds the events that are set aside. Each keeps its segment on the disk.
	// maxRetrying is how many of them are under way at once.
	maxAlone    = 256
	maxRetrying = 16
	// growth is how much larger the next batch is after one that was stored. An outage makes
	// single events of batches, and a destination may take seconds for each.
	growth = 8
)

// refused reports that a second attempt at the event would fail as well. The error of a next
// sink that is closed does not count: it says nothing about the event.
func refused(err error) bool {
	class, _ := driver.ClassOf(err) // transient for nil
	return class == auditing.ClassPermanent || class == auditing.ClassInvalid
}

// givesUp reports that e, whose last attempt ended with err, becomes a dead letter.
func (s *stage) givesUp(e *entry, err error) bool {
	if !refused(err) {
		return false
	}
	if e.refused.IsZero() {
		e.refused = time.Now()
	}
	return !driver.IsMendable(err) || time.Since(e.refused) >= s.opts.BuryAfter
}

// probes reports that a later event is tried beside the oldest.
func (s *sender) probes() bool { return s.failed >= probeAfter }

// settle acts on the outcomes of a round, by the rules of the package comment.
func (s *sender) settle(ctx context.Context, batch []*entry, errs []error) {
	if len(batch) > 1 && !slices.ContainsFunc(errs, func(err error) bool { return !refused(err) }) {
		for i, e := range batch {
			s.retryLater(e, errs[i])
		}
		s.size = 1 // one of them may be the cause
		return
	}
	last := s.settleStored(batch, errs)
	left, behind, asked := 0, 0, time.Duration(0)
	for i, e := range batch {
		if errs[i] == nil {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		err := s.settleFailed(e, errs[i])
		if err == nil || i < last && (s.setAside(ctx, e, err) || refused(err) && s.bury(e, err) == nil) {
			e.settled = true
			continue
		}
		left++
		if i > last {
			behind++
		}
		asked = max(asked, pauseOf(err))
	}
	s.adapt(len(batch), last >= 0, behind)
	if left > 0 {
		sleep(ctx, max(s.pause.NextBackOff(), asked))
	}
}

// settleStored forgets the events that are stored, and returns the index of the last such event, or -1.
func (s *sender) settleStored(batch []*entry, errs []error) (last int) {
	last = -1
	var stored []*recordlog.Record
	for i, e := range batch {
		if errs[i] == nil {
			e.settled, last = true, i
			stored = append(stored, e.Record)
		}
	}
	s.delivered(stored...)
	return last
}

// settleFailed makes a dead letter of an event that is refused for good. It returns nil
// when that is done, and otherwise why the event has to be tried again.
func (s *stage) settleFailed(e *entry, err error) error {
	if s.givesUp(e, err) {
		err = s.bury(e, err)
	}
	if err != nil {
		s.retryLater(e, err)
	}
	return err
}

// adapt chooses the size of the next batch after one of n events. stored says whether any
// was stored, and behind how many are to be tried again after the last of those.
func (s *sender) adapt(n int, stored bool, behind int) {
	switch {
	case behind == 0 && stored:
		s.size = min(growth*s.size, s.mostEvents)
	case behind > 0 && !stored && s.size == 1:
		s.failed++
	case behind > 0:
		s.size = max(n/2, 1)
	}
	if stored || behind == 0 {
		s.failed = 0
	}
	if s.failed <= 1 { // the pause grows only once single events fail
		s.pause.Reset()
	}
}

// setAside has an event tried again by itself until it is stored or refused. It reports
// false when too many are set aside already.
func (s *stage) setAside(ctx context.Context, e *entry, err error) bool {
	select {
	case s.alone <- struct{}{}:
	default:
		return false
	}
	s.aside.Go(func() {
		defer func() { <-s.alone }()
		for pause := s.backoff(); sleep(ctx, max(pause.NextBackOff(), pauseOf(err))); {
			s.retrying <- struct{}{}
			err = s.request(ctx, []*entry{e})[0]
			<-s.retrying
			if err == nil {
				s.delivered(e.Record)
				return
			}
			if ctx.Err() != nil {
				return
			}
			if err = s.settleFailed(e, err); err == nil {
				return
			}
		}
	})
	return true
}

// retryLater counts and reports a failure of an event that will be tried again.
func (s *stage) retryLater(e *entry, err error) {
	s.metrics.failures.Inc()
	s.report(e.event, err)
}

// pauseOf returns the pause that the destination asked for.
func pauseOf(err error) time.Duration {
	_, asked := driver.ClassOf(err)
	return min(asked, maxRetryAfter)
}

// backoff returns the pauses of one series of attempts. It is not safe for concurrent use.
func (s *stage) backoff() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval: s.opts.MinBackoff, MaxInterval: s.opts.MaxBackoff, Multiplier: 2, RandomizationFactor: 0.5,
	}
}

// sleep waits for pause. It reports false when ctx ended first.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
