package loki

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/paddock-dev/audit/driver"
)

// stream commits the entries of one set of labels in groups: while a push is
// under way, what comes meanwhile goes into the next. Its goroutines live as long
// as there is something to send.
type stream struct {
	store  *store
	labels string
	number uint64 // in the order in which the store made them

	mu      sync.Mutex
	queue   []*entry   // never sent
	groups  [][]*entry // to be sent again after a 400, each by itself, before the queue
	live    int        // entries in queue and groups whose writer has not gone
	pushers int        // goroutines, and writers who lead
	proved  time.Time  // that Loki stores what it confirms

	cutoff      atomic.Int64 // what is older is behind this stream; 0 for not known
	cutoffKnown time.Time    // when cutoff was learnt
}

// flight is one push. A later one uses it again.
type flight struct {
	entries []*entry
	again   bool               // they are a group
	waiting int                // entries whose writer has not gone
	cancel  context.CancelFunc // ends the push; nil for that of a writer who leads
	ended   []*call            // those to tell that their last entry has a verdict
}

const (
	// maxPushers is how many pushes of a stream are under way at most: with a
	// second one Loki decodes the next push while it stores the one before; a
	// third gains nothing that could be measured.
	maxPushers = 2
	// crowd is how many entries have to wait for a second push at the same time:
	// fewer are better off together, in the next.
	crowd = 256

	// cutoffHolds is how long Loki's word on what is behind a stream is relied
	// on. It only moves forward while Loki keeps the stream in memory.
	cutoffHolds = 5 * time.Minute

	// maxIdleStreams bounds what is remembered of streams without a writer.
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
			for k, old := range s.streams {
				if old.idle() {
					delete(s.streams, k)
				}
			}
		}
		s.lastStream++
		q = &stream{store: s, labels: s.labels.of(key), number: s.lastStream}
		s.streams[key] = q
	}
	return q
}

// idle reports that nothing is lost when the stream is forgotten.
func (q *stream) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pushers == 0
}

// isBehind reports that Loki has just said of this stream that it takes nothing
// as old as ns.
func (q *stream) isBehind(ns int64) bool {
	if ns >= q.cutoff.Load() {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Since(q.cutoffKnown) < cutoffHolds
}

// add queues entries of one call and sees that somebody sends them: a goroutine, or
// where it returns a flight the writer itself, who then has to call lead.
func (q *stream) add(entries []*entry, mayLead bool) *flight {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) > 2*q.live+64 {
		q.queue = slices.DeleteFunc(q.queue, (*entry).isGone)
	}
	q.queue = append(q.queue, entries...)
	q.live += len(entries)
	if mayLead && q.store.leads && q.pushers == 0 && len(entries) < crowd {
		select {
		case f := <-q.store.slots:
			q.pushers++
			q.take(f, nil) // here, so that nobody else gets into the push
			return f
		default:
		}
	}
	for q.pushers == 0 || q.pushers < maxPushers && q.crowded() {
		q.pushers++
		q.start()
	}
	return nil
}

func (e *entry) isGone() bool { return e.gone }

// crowded reports that a further push is worth its while. While it is being found
// out what Loki takes, pushes go one by one. The caller holds the mutex.
func (q *stream) crowded() bool {
	return q.live >= crowd && len(q.groups) == 0 && !q.unproved()
}

// leave takes e out, for its writer gives up, unless it has its verdict. A push
// with other writers goes on.
func (q *stream) leave(e *entry, cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.settled {
		return
	}
	known := notSent
	if e.again || e.flight != nil {
		known = unclear
	}
	if f := e.flight; f == nil {
		q.live--
	} else if f.waiting--; f.waiting == 0 {
		f.cancel()
	}
	e.gone, e.settled = true, true
	e.verdict = verdict{refused: refusedForGood, err: fmt.Errorf("%s: %w", known, cause)}
}

func (q *stream) start() {
	q.store.pushers.Add(1)
	go q.run()
}

func (q *stream) run() {
	defer q.store.pushers.Done()
	for q.more() {
		f := <-q.store.slots
		ctx, cancel := context.WithTimeoutCause(q.store.pushing, q.store.opts.PushTimeout, errSlow)
		q.mu.Lock()
		q.take(f, cancel)
		q.mu.Unlock()
		q.push(ctx, f)
		cancel()
		q.store.slots <- f
	}
}

// more returns false, and the goroutine has to end, when there is nothing to send,
// or nothing that the other one would not send as well.
func (q *stream) more() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.live > 0 && (q.pushers == 1 || q.crowded()) {
		return true
	}
	q.pushers--
	if q.live == 0 {
		q.queue, q.groups = nil, nil // writers of what is there have gone
	}
	return false
}

// lead pushes what add took, from the goroutine of a writer who is alone, which
// saves it two switches of goroutines. The push ends with the writer's context. What
// has come meanwhile, or has to be sent again, is left to a goroutine.
func (q *stream) lead(writer context.Context, f *flight) {
	ctx, cancel := context.WithTimeoutCause(q.store.pushing, q.store.opts.PushTimeout, errSlow)
	defer cancel()
	if writer.Done() != nil {
		defer context.AfterFunc(writer, cancel)()
	}
	q.push(ctx, f)
	q.store.slots <- f
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.live > 0 {
		q.start()
		return
	}
	q.pushers--
}

// take fills f with the next group, or with what fits into one push from the queue,
// oldest first: in that order none of them is behind because of another. The caller
// holds the mutex.
func (q *stream) take(f *flight, cancel context.CancelFunc) {
	f.entries, f.again, f.cancel = f.entries[:0], false, cancel
	for len(q.groups) > 0 && !f.again {
		f.entries = append(f.entries, slices.DeleteFunc(q.groups[0], (*entry).isGone)...)
		f.again = len(f.entries) > 0
		q.groups = q.groups[1:]
	}
	if !f.again {
		q.dequeue(f)
	}
	slices.SortStableFunc(f.entries, func(a, b *entry) int { return cmp.Compare(a.at.ns, b.at.ns) })
	for _, e := range f.entries {
		e.flight = f
	}
	f.waiting = len(f.entries)
	q.live -= f.waiting
}

// dequeue moves what fits into one push from the queue to f.
func (q *stream) dequeue(f *flight) {
	size := fieldSize(streamLabels, len(q.labels)) + 2*protowire.SizeVarint(maxPushBytes)
	used := 0
	for _, e := range q.queue {
		if !e.gone {
			size += fieldSize(streamEntries, e.size)
			if len(f.entries) > 0 && size > maxPushBytes {
				break
			}
			f.entries = append(f.entries, e)
		}
		used++
	}
	q.queue = slices.Delete(q.queue, 0, used)
}

// push sends the entries of a flight and settles them.
func (q *stream) push(ctx context.Context, f *flight) {
	if len(f.entries) == 0 { // their writers have gone
		return
	}
	a := q.prove(ctx)
	if a.kind == answerStored {
		a = q.store.push(ctx, q.labels, f.entries)
	}
	q.settle(f, a)
}
