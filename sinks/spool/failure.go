package spool

import (
	"context"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

const (
	// maxRetryAfter bounds a pause that the destination asks for.
	maxRetryAfter = 10 * time.Minute
	// probeAfter is how often the oldest event fails by itself before a later one is
	// tried as well.
	probeAfter = 3
	// leastProbes is how many events are held to choose from then, however large.
	leastProbes = 16
	// maxAlone bounds the events that are set aside. Each keeps its segment on the
	// disk. maxRetrying is how many of them are under way at once.
	maxAlone    = 256
	maxRetrying = 16
)

// refused reports that err says that a second attempt at the event would fail as
// well. A next sink that is closed says nothing of the event.
func refused(err error) bool {
	class, _ := driver.ClassOf(err) // transient for nil
	return class == auditing.ClassPermanent || class == auditing.ClassInvalid
}

// probes reports that a later event is tried beside the oldest.
func (s *sender) probes() bool { return s.failed >= probeAfter }

// settle does what the outcomes of a round ask for:
//
//   - What is stored is forgotten, and what is refused becomes a dead letter. Where
//     every event of a batch is refused, one of them may be the cause, so each is
//     tried by itself first.
//   - An event that failed while a later one was stored is set aside: the destination
//     is there, and the event must not hold up the others.
//   - Behind the last event that was stored the destination may have gone away. So the
//     others stay in their order, and after a pause fewer are tried at once. That also
//     finds the one because of which a whole request fails.
func (s *sender) settle(ctx context.Context, batch []*entry, errs []error) {
	last := s.settleStored(batch, errs)
	left, behind, asked := 0, 0, time.Duration(0)
	together := len(batch) > 1 && !slices.ContainsFunc(errs, func(err error) bool { return !refused(err) })
	for i, e := range batch {
		err := errs[i]
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if refused(err) && !together {
			e.settled = s.bury(ctx, e, err)
			continue
		}
		s.report(e, err)
		if i < last && s.setAside(ctx, e, err) {
			e.settled = true
			continue
		}
		left++
		if i > last {
			behind++
		}
		asked = max(asked, pauseOf(err))
	}
	if together {
		s.size = 1
		return
	}
	s.adapt(len(batch), last >= 0, behind)
	if left > 0 {
		sleep(ctx, max(s.pause.NextBackOff(), asked))
	}
}

// adapt chooses the size of the next batch after one of n events: whether any was
// stored, and how many are to be tried again behind the last that was.
func (s *sender) adapt(n int, stored bool, behind int) {
	switch {
	case behind == 0 && stored:
		s.size = min(2*s.size, s.mostEvents)
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

// settleStored forgets what is stored, and returns the index of the last such event,
// or -1.
func (s *sender) settleStored(batch []*entry, errs []error) (last int) {
	last = -1
	var stored []*entry
	for i, e := range batch {
		if errs[i] == nil {
			e.settled, last = true, i
			stored = append(stored, e)
		}
	}
	s.metrics.delivered.Add(float64(len(stored)))
	s.forget(stored...)
	return last
}

// setAside has an event tried again by itself until it is stored or refused. It
// reports false when too many are set aside already.
func (q *queue) setAside(ctx context.Context, e *entry, err error) bool {
	select {
	case q.alone <- struct{}{}:
	default:
		return false
	}
	q.aside.Go(func() {
		q.retry(ctx, e, err)
		<-q.alone
	})
	return true
}

// retry tries an event that has failed with err.
func (q *queue) retry(ctx context.Context, e *entry, err error) {
	for pause := q.backoff(); sleep(ctx, max(pause.NextBackOff(), pauseOf(err))); {
		q.retrying <- struct{}{}
		err = q.request(ctx, []*entry{e})[0]
		<-q.retrying
		if err == nil {
			q.metrics.delivered.Inc()
			q.forget(e)
			return
		}
		if ctx.Err() != nil {
			return
		}
		if refused(err) {
			q.bury(ctx, e, err)
			return
		}
		q.report(e, err)
	}
}

// report counts and reports a failure of an event that will be tried again.
func (q *queue) report(e *entry, err error) {
	q.metrics.failures.Inc()
	q.opts.OnFailure(e.event.Ref(), err)
}

// pauseOf returns the pause that the destination asked for.
func pauseOf(err error) time.Duration {
	_, asked := driver.ClassOf(err)
	return min(asked, maxRetryAfter)
}

// backoff returns the pauses of one series of attempts. It is not safe for
// concurrent use.
func (q *queue) backoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = q.opts.MinBackoff
	b.MaxInterval = q.opts.MaxBackoff
	b.Multiplier = 2
	b.RandomizationFactor = 0.5
	b.Reset()
	return b
}

// sleep reports whether it could before ctx ended.
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
