package spool

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/recordlog"
)

// What a request to the next sink holds at most.
const (
	unboundedBatch  = 4096    // events, for a sink that takes any number
	maxRequestBytes = 4 << 20 // of records, shared by the senders
	minRequestBytes = 64 << 10
)

// entry is an event on its way to the next sink.
type entry struct {
	*recordlog.Record

	event   *driver.Event
	refused time.Time // when it was first refused for a reason that may be mended
	settled bool      // the sender has nothing more to do with it
}

// sender hands on the events that wait, oldest first. Options.Parallel senders are at work, each
// with events of its own.
type sender struct {
	*stage

	held   []*entry // read and not settled, oldest first
	full   bool     // held has as much as one request can hold
	clean  bool     // the last round has settled all that was held
	size   int      // events in the next batch
	failed int      // rounds with one event in a row in which nothing was stored
	pause  *backoff.ExponentialBackOff
}

// sendAll delivers events until ctx ends, or the log is sealed and empty.
func (s *stage) sendAll(ctx context.Context) {
	var senders sync.WaitGroup
	for range s.opts.Parallel {
		one := &sender{stage: s, clean: true, size: s.mostEvents, pause: s.backoff()}
		senders.Go(func() {
			for ctx.Err() == nil && one.collect(ctx) {
				ahead := one.readAhead(ctx)
				batch, errs := one.round(ctx)
				one.settle(ctx, batch, errs)
				one.held = slices.DeleteFunc(one.held, func(e *entry) bool { return e.settled })
				one.clean = len(one.held) == 0
				one.held = append(one.held, ahead()...)
			}
		})
	}
	senders.Wait()
	s.aside.Wait()
}

// collect reads the events that wait now, at most as many as one request can hold. It waits
// for events only while none is held. It reports false when none is held and none will come.
func (s *sender) collect(ctx context.Context) bool {
	if len(s.held) == 0 {
		s.reading.Lock()
	} else if !s.reading.TryLock() {
		return true
	}
	defer s.reading.Unlock()
	bytes := int64(0)
	for _, e := range s.held {
		bytes += e.Size()
	}
	for {
		s.full = len(s.held) >= s.mostEvents || bytes >= s.mostBytes && (!s.probes() || len(s.held) >= leastProbes)
		if s.full {
			break
		}
		record, err := s.log.Next(ctx, len(s.held) == 0)
		if err != nil {
			s.trouble(err)
			if len(s.held) == 0 && sleep(ctx, s.pause.NextBackOff()) {
				continue
			}
			break
		}
		if record == nil {
			break
		}
		if e := s.decode(record); e != nil {
			s.held = append(s.held, e)
			bytes += e.Size()
		}
	}
	return len(s.held) > 0
}

// decode returns nil for a record that holds no event.
func (s *sender) decode(record *recordlog.Record) *entry {
	event, err := driver.Decode(record.Payload)
	if err != nil {
		s.trouble(s.log.Reject(record, fmt.Errorf("a record that holds no event: %w", err)))
		return nil
	}
	record.Payload = nil // it is valid only until the next record is read
	return &entry{Record: record, event: event}
}

// round hands on the oldest events that are held, and returns them with the outcome of
// each. When the oldest alone has failed again and again, a later one is tried as well, by
// itself: it shows whether the oldest is to blame or the destination.
func (s *sender) round(ctx context.Context) (batch []*entry, errs []error) {
	batch = s.oldest()
	errs = s.request(ctx, batch)
	if !s.probes() || len(s.held) < 2 || errs[0] == nil || s.givesUp(batch[0], errs[0]) {
		return batch, errs
	}
	other := s.held[1+(s.failed-probeAfter)%(len(s.held)-1)]
	outcome := s.request(ctx, []*entry{other})[0]
	if outcome == nil { // unless the destination has just come back
		s.retryLater(batch[0], errs[0])
		errs = s.request(ctx, batch)
	}
	return []*entry{batch[0], other}, append(errs, outcome)
}

// oldest returns what the next request holds: at least one event.
func (s *sender) oldest() []*entry {
	bytes := int64(0)
	for i, e := range s.held {
		if i == s.size || i > 0 && bytes >= s.mostBytes {
			return s.held[:i]
		}
		bytes += e.Size()
	}
	return s.held
}

// request hands entries to the next sink in one Store, and returns the outcome of each.
func (s *stage) request(ctx context.Context, entries []*entry) []error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	events := make([]*driver.Event, len(entries))
	for i, e := range entries {
		events[i] = e.event
	}
	if errs := s.next.Store(ctx, events); errs != nil {
		return errs
	}
	return make([]error, len(entries))
}

// delivered forgets events that the next sink has stored.
func (s *stage) delivered(records ...*recordlog.Record) {
	s.metrics.delivered.Add(float64(len(records)))
	s.trouble(s.log.Acknowledge(records...))
}
