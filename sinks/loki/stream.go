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

// stream is what the store sends under one set of labels. While a push of it is
// under way, entries that are added gather in the next. It has goroutines only
// while there is something to send.
type stream struct {
	store  *store
	labels string

	mu        sync.Mutex
	queue     []*push // to be sent, in this order; each has somebody who waits for it
	waiting   int     // entries without an outcome
	senders   int     // goroutines that send
	resolving int     // pushes that are being sent again

	proved      time.Time // when Loki has last proved that it stores what it confirms
	cutoff      int64     // Loki takes nothing older, in nanoseconds since 1970; 0 for not known
	cutoffKnown time.Time // when cutoff was learnt
}

// push is a group of entries that are sent together.
type push struct {
	entries []entry            // complete once it is taken out of the queue
	size    int                // at most that of the request, before compression
	waiting int                // entries without an outcome
	again   bool               // it is sent again in parts, to find out what Loki takes of it
	cancel  context.CancelFunc // ends its requests; nil while it is in the queue
	done    chan struct{}      // closed when all entries have an outcome
}

const (
	// maxPushBytes bounds a push before compression. Loki answers 429 for ever to
	// more than its burst (6 MiB) and 500 for ever to more than its gRPC limit
	// (4 MiB).
	maxPushBytes = 1 << 20

	// maxSenders is how many pushes of a stream are under way at most: with a
	// second one Loki decodes the next push while it stores the one before; a
	// third gains nothing that could be measured.
	maxSenders = 2
	// crowd is how many entries have to wait for a second push at the same time:
	// fewer are better off together, in the next.
	crowd = 256

	// failurePause follows a failed push of a stream, so that the many writers who
	// try again share the next one.
	failurePause = 50 * time.Millisecond

	// cutoffHolds is how long Loki's word on what is behind a stream is relied
	// on. It only moves forward while Loki keeps the stream in memory.
	cutoffHolds = 5 * time.Minute

	// maxIdleStreams bounds how many streams that have nothing to send are kept.
	maxIdleStreams = 1024
)

// streamKey is what tells the streams of one store apart.
type streamKey struct{ component, namespace, late string }

// stream returns the stream of e; late is "" for its regular one.
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

// isBehind reports that Loki has just said of this stream that it takes nothing
// as old as ns.
func (q *stream) isBehind(ns int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return ns < q.cutoff && time.Since(q.cutoffKnown) < cutoffHolds
}

// add puts e into the last push of the queue, or into a new one when that is full.
// It is sent after start.
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

// start sees that somebody sends what is in the queue.
func (q *stream) start() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.needsSender(q.senders) {
		q.senders++
		q.store.senders.Go(q.run)
	}
}

// needsSender reports that the queue is worth another sender beside some others.
// While it is being found out what Loki takes, pushes go one by one. The caller
// holds the mutex.
func (q *stream) needsSender(others int) bool {
	if len(q.queue) == 0 || others >= maxSenders {
		return false
	}
	crowded := len(q.queue) > 1 || q.queue[0].waiting >= crowd
	return others == 0 || crowded && q.resolving == 0 && !q.proofIsDue()
}

// run sends pushes until there is nothing left, or nothing that the other sender
// would not send as well.
func (q *stream) run() {
	for {
		q.store.slots <- struct{}{} // what comes until there is one joins the push
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

// take takes the first push out of the queue, and returns it with those entries whose
// writers still wait, oldest first: in that order none of them is behind because of
// another. The push is nil when the sender has to end.
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

// await returns the outcome of an entry of p. When ctx ends first, its writer gives
// up: the push goes on as long as it has others.
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
		*e = entry{} // it stays in the push, and takes no memory
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
