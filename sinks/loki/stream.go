package loki

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/paddock-dev/audit/driver"
)

// stream sends the entries with one set of labels. While a push is under way, entries that
// are added wait in the next push. It has goroutines only while there are entries to send.
type stream struct {
	store  *store
	labels string

	mu        sync.Mutex
	queue     []*push // to be sent in this order; a writer waits for each of them
	waiting   int     // entries without an outcome
	senders   int     // goroutines that send
	resolving int     // pushes that are being sent again

	proved      time.Time // when Loki last proved that it stores what it confirms
	cutoff      int64     // Loki refuses older entries; in nanoseconds since 1970, 0 when not known
	cutoffKnown time.Time // when cutoff was learnt
}

// push is a group of entries that are sent together.
type push struct {
	entries []entry            // none is added after the push has left the queue
	size    int                // the most that the request can have, in bytes before compression
	waiting int                // entries without an outcome
	again   bool               // it is sent again in parts, to find out which entries Loki accepts
	cancel  context.CancelFunc // ends its requests; nil while it is in the queue
	done    chan struct{}      // closed when all entries have an outcome
}

const (
	// maxPushBytes bounds a push before compression. Loki answers 429 for ever to
	// more than its burst (6 MiB) and 500 for ever to more than its gRPC limit
	// (4 MiB).
	maxPushBytes = 1 << 20

	// maxSenders is how many pushes of a stream may be under way. With two, Loki can
	// decode one push while it stores the other. A third one did not make it faster in
	// measurements.
	maxSenders = 2
	// crowd is how many entries have to wait before a second push is sent at the same
	// time. Fewer entries are sent together in the next push.
	crowd = 256

	// failurePause follows a failed push of a stream, so that the many writers who
	// try again share the next one.
	failurePause = 50 * time.Millisecond

	// cutoffHolds is how long a cutoff is used. The cutoff of a stream only grows while
	// Loki has the stream in memory, but Loki may remove it from there.
	cutoffHolds = 5 * time.Minute

	// maxIdleStreams bounds how many streams that have nothing to send are kept.
	maxIdleStreams = 1024
)

// streamKey identifies a stream of a store.
type streamKey struct{ component, namespace, late string }

// stream returns the stream of e with this label late, which is "" for the regular stream.
func (s *store) stream(e *driver.Event, late string) *stream {
	key := streamKey{component: e.Component(), namespace: e.Namespace(), late: late}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.streams[key]
	if q == nil {
		if len(s.streams) >= maxIdleStreams {
			maps.DeleteFunc(s.streams, func(_ streamKey, old *stream) bool {
				old.mu.Lock()
				defer old.mu.Unlock()
				return old.waiting == 0
			})
		}
		q = &stream{store: s, labels: s.opts.labelsOf(key)}
		s.streams[key] = q
	}
	return q
}

// isBehind reports whether Loki has said recently that it refuses entries as old as ns in
// this stream.
func (q *stream) isBehind(ns int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return ns < q.cutoff && time.Since(q.cutoffKnown) < cutoffHolds
}

// add puts e into the last push of the queue, or into a new one when that is full.
// The push is sent after a call of start.
func (q *stream) add(e *entry) (p *push, slot int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.queue); n > 0 && q.queue[n-1].size+e.size <= maxPushBytes {
		p = q.queue[n-1]
	} else {
		p = &push{size: len(q.labels) + entryExtra, done: make(chan struct{})}
		q.queue = append(q.queue, p)
	}
	p.entries = append(p.entries, *e)
	p.size += e.size
	p.waiting++
	q.waiting++
	return p, len(p.entries) - 1
}

// start starts senders for the pushes in the queue, as far as they are needed.
func (q *stream) start() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.needsSender(q.senders) {
		q.senders++
		q.store.senders.Go(q.run)
	}
}

// needsSender reports whether the queue needs a sender in addition to this many others.
// While a push is sent again in parts, only one push is under way. The caller
// holds the mutex.
func (q *stream) needsSender(others int) bool {
	if len(q.queue) == 0 || others >= maxSenders {
		return false
	}
	crowded := len(q.queue) > 1 || q.queue[0].waiting >= crowd
	return others == 0 || crowded && q.resolving == 0 && !q.proofIsDue()
}

// run sends pushes until the queue is empty, or the other sender is enough for it.
func (q *stream) run() {
	for {
		q.store.slots <- struct{}{} // entries that are added until there is a slot join the push
		ctx, p, entries := q.take()
		stored := p == nil || q.send(ctx, p, entries)
		<-q.store.slots
		if p == nil {
			return
		}
		if !stored {
			_ = pause(q.store.pushing, failurePause) // Close cuts it short
		}
	}
}

// take removes the first push from the queue, and returns it with the entries whose writers
// still wait. The oldest entry is first, so that no entry makes another one late. The push
// is nil when the sender has to end.
func (q *stream) take() (ctx context.Context, p *push, entries []*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.needsSender(q.senders - 1) {
		q.senders--
		return nil, nil, nil
	}
	p = q.queue[0]
	q.queue = slices.Delete(q.queue, 0, 1)
	for i := range p.entries {
		if e := &p.entries[i]; !e.known {
			entries = append(entries, e)
		}
	}
	slices.SortStableFunc(entries, func(a, b *entry) int { return cmp.Compare(a.at.ns, b.at.ns) })
	ctx, p.cancel = context.WithCancel(q.store.pushing)
	return ctx, p, entries
}

// await returns the outcome of an entry of p. When ctx ends first, the writer gives up. The
// push goes on while other writers wait for it.
func (q *stream) await(ctx context.Context, p *push, slot int) outcome {
	select {
	case <-p.done:
		return p.entries[slot].outcome
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e := &p.entries[slot]
	if e.known {
		return e.outcome
	}
	known := unclear
	if p.cancel == nil {
		known = notSent
		*e = entry{} // the slot stays in the push, without the memory of the event
	}
	q.settle(p, outcome{err: fmt.Errorf("%s: %w", known, context.Cause(ctx))}, e)
	switch {
	case p.waiting > 0:
	case p.cancel == nil:
		q.queue = slices.DeleteFunc(q.queue, func(other *push) bool { return other == p })
	default:
		p.cancel()
	}
	return e.outcome
}

// settle sets the outcome of those entries that have none. The caller holds the
// mutex.
func (q *stream) settle(p *push, o outcome, entries ...*entry) {
	o.known = true
	for _, e := range entries {
		if !e.known {
			e.outcome = o
			p.waiting--
			q.waiting--
		}
	}
}
