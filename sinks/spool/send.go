package spool

import (
	"context"
	"slices"
	"sync"

	"github.com/cenkalti/backoff/v5"

	"github.com/paddock-dev/audit/driver"
)

// What a request to the next sink holds at most.
const (
	unboundedBatch  = 4096    // events, for a sink that takes any number
	maxRequestBytes = 4 << 20 // of records, shared by the senders
	minRequestBytes = 64 << 10
)

// setBounds says how much a request holds, for a next sink that takes batch events.
func (q *queue) setBounds(batch int) {
	if batch <= 0 {
		batch = unboundedBatch
	}
	q.mostEvents = batch
	q.mostBytes = int64(max(maxRequestBytes/q.opts.Parallel, minRequestBytes))
	q.alone = make(chan struct{}, min(batch, maxAlone))
	q.retrying = make(chan struct{}, maxRetrying)
}

// sender hands on what waits, oldest first. Options.Parallel of them are at work,
// each with events of its own.
type sender struct {
	*queue
	held   []*entry // read and not settled, oldest first
	size   int      // of the next batch
	failed int      // rounds with one event in a row in which nothing was stored
	pause  *backoff.ExponentialBackOff
}

// sendAll delivers what is stored until ctx ends, or the queue is closed and nothing
// waits any more.
func (q *queue) sendAll(ctx context.Context) {
	var senders sync.WaitGroup
	for range q.opts.Parallel {
		s := &sender{queue: q, size: q.mostEvents, pause: q.backoff()}
		senders.Go(func() { s.run(ctx) })
	}
	senders.Wait()
	q.aside.Wait()
	q.closeReader()
}

func (s *sender) run(ctx context.Context) {
	for ctx.Err() == nil && s.collect(ctx) {
		batch, errs := s.round(ctx)
		s.settle(ctx, batch, errs)
		s.held = slices.DeleteFunc(s.held, func(e *entry) bool { return e.settled })
	}
}

// collect takes up what waits now, and waits only while nothing is held. It reports
// false when nothing is held and nothing more will come.
func (s *sender) collect(ctx context.Context) bool {
	want := s.size
	if s.probes() {
		want = s.mostEvents // to choose from
	}
	switch {
	case len(s.held) == 0:
		s.reading.Lock()
	case len(s.held) >= want || !s.reading.TryLock():
		return true
	}
	defer s.reading.Unlock()
	bytes := int64(0)
	for _, e := range s.held {
		bytes += e.size
	}
	for len(s.held) < want && (bytes < s.mostBytes || s.probes() && len(s.held) < leastProbes) {
		e := s.nextEntry(ctx, len(s.held) == 0)
		if e == nil {
			break
		}
		s.held = append(s.held, e)
		bytes += e.size
	}
	return len(s.held) > 0
}

// round hands on the oldest events that are held, and returns them with the outcome
// of each. When the oldest alone has failed again and again, a later one is tried as
// well, by itself: it shows whether the oldest is to blame or the destination.
func (s *sender) round(ctx context.Context) (batch []*entry, errs []error) {
	batch = s.oldest()
	errs = s.request(ctx, batch)
	if !s.probes() || len(s.held) < 2 || errs[0] == nil || refused(errs[0]) {
		return batch, errs
	}
	other := s.held[1+(s.failed-probeAfter)%(len(s.held)-1)]
	outcome := s.request(ctx, []*entry{other})[0]
	if outcome == nil { // unless the destination has just come back
		s.report(batch[0], errs[0])
		errs = s.request(ctx, batch)
	}
	return []*entry{batch[0], other}, append(errs, outcome)
}

// oldest returns what the next request holds: one event at least.
func (s *sender) oldest() []*entry {
	bytes := int64(0)
	for i, e := range s.held {
		if i == s.size || i > 0 && bytes >= s.mostBytes {
			return s.held[:i]
		}
		bytes += e.size
	}
	return s.held
}

// request hands entries to the next sink in one Store, and returns the outcome of each.
func (q *queue) request(ctx context.Context, entries []*entry) []error {
	ctx, cancel := context.WithTimeout(ctx, q.opts.AttemptTimeout)
	defer cancel()
	events := make([]*driver.Event, len(entries))
	for i, e := range entries {
		events[i] = e.event
	}
	if errs := q.next.Store(ctx, events); errs != nil {
		return errs
	}
	return make([]error, len(entries))
}

// forget takes events that are delivered, or dead letters, out of the window, and
// notes up to where all are.
func (q *queue) forget(entries ...*entry) {
	if len(entries) == 0 {
		return
	}
	q.mu.Lock()
	for _, e := range entries {
		e.done = true
		e.segment.underWay--
		e.segment.waiting--
		e.segment.bytes -= e.size
		q.depth--
		q.bytes -= e.size
	}
	q.window = slices.DeleteFunc(q.window, func(e *entry) bool { return e.done })
	upTo := q.taken
	if len(q.window) > 0 {
		upTo = q.window[0].seq - 1
		q.headAt = q.window[0].at
	}
	drop := q.dropDrained()
	q.moreRoom()
	q.mu.Unlock()
	q.progress.advance(upTo)
	q.removeAll(drop)
}
