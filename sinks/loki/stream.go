package loki

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// stream commits the entries of one set of labels in groups: at most one push is
// under way, and what comes meanwhile goes into the next. Its goroutine lives as
// long as there is something to send.
type stream struct {
	sink   *Sink
	labels string
	wake   chan struct{} // holds a token when the queue has run empty

	mu      sync.Mutex
	queue   []*entry
	groups  [][]*entry // to be sent each by itself, before the queue
	live    int        // entries in queue and groups whose writer has not gone
	running bool

	// most bounds the entries of a push: halved when Loki cannot take them, so
	// that one event cannot hold up the others, and doubled when it can.
	most      int
	failures  int       // pushes in a row
	notBefore time.Time // of the next push
	proved    time.Time // that Loki stores what it confirms

	cutoff      int64 // what is older is behind this stream
	cutoffKnown time.Time
}

const (
	firstBackoff = 50 * time.Millisecond
	// maxBackoff is short, for a write may have a second only, and Loki's limits
	// are rates a second.
	maxBackoff = time.Second

	// cutoffHolds is how long Loki's word on what is behind a stream is relied
	// on. It only moves forward while Loki keeps the stream in memory.
	cutoffHolds = 5 * time.Minute
)

const unlimited = 1 << 20 // entries; maxPushBytes comes first

func newStream(s *Sink, labels string) *stream {
	return &stream{sink: s, labels: labels, wake: make(chan struct{}, 1), most: unlimited}
}

// add queues e and sees that somebody sends it: a goroutine, or the writer of e
// itself, who then has to call lead.
func (q *stream) add(e *entry) (leads bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) > 2*q.live+64 {
		q.queue = slices.DeleteFunc(q.queue, gone)
	}
	q.queue = append(q.queue, e)
	q.live++
	if q.running {
		return false
	}
	q.running = true
	if q.sink.leads && q.live == 1 && !time.Now().Before(q.notBefore) {
		select {
		case q.sink.slots <- struct{}{}:
			return true
		default:
		}
	}
	q.start()
	return false
}

func (q *stream) start() {
	q.sink.pushers.Add(1)
	go q.run()
}

// lead pushes the entry of a lone writer from its own goroutine, which saves it
// two switches of goroutines. The push ends with the writer's context; nobody
// else is in it. What has come meanwhile, or has to be sent again, is left to a
// goroutine.
func (q *stream) lead(writer context.Context) {
	ctx, cancel := context.WithTimeout(q.sink.pushing, q.sink.opts.PushTimeout)
	defer cancel()
	defer context.AfterFunc(writer, cancel)()
	q.push(ctx, cancel)
	<-q.sink.slots
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.live > 0 {
		q.start()
		return
	}
	q.running = false
}

func gone(e *entry) bool { return e.wire == nil }

// leave takes e out, for its writer gives up. A push with other writers goes on.
func (q *stream) leave(e *entry, cause error) (verdict, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.settled {
		return <-e.done, nil
	}
	state := e.tried
	if f := e.flight; f != nil {
		state = attemptUnderWay
		f.waiting--
		if f.waiting == 0 {
			f.cancel()
		}
	} else {
		q.live--
		q.signal()
	}
	e.wire = nil
	return verdict{}, gaveUp(state, cause, e.last)
}

// signal wakes the goroutine when there is nothing left to wait for.
func (q *stream) signal() {
	if q.live == 0 {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// idle reports that nothing is lost when the stream is forgotten.
func (q *stream) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.running && time.Now().After(q.notBefore)
}

// isBehind reports that Loki has just said of this stream that it takes nothing
// as old as ns.
func (q *stream) isBehind(ns int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return ns < q.cutoff && time.Since(q.cutoffKnown) < cutoffHolds
}

func (q *stream) run() {
	defer q.sink.pushers.Done()
	for q.awaitTurn() {
		select {
		case q.sink.slots <- struct{}{}:
			ctx, cancel := context.WithTimeout(q.sink.pushing, q.sink.opts.PushTimeout)
			q.push(ctx, cancel)
			cancel()
			<-q.sink.slots
		case <-q.wake:
		}
	}
}

// awaitTurn waits out the pause after a failure. It returns false, and the
// goroutine is to end, when there is nothing to send.
func (q *stream) awaitTurn() bool {
	for {
		q.mu.Lock()
		if q.live == 0 {
			q.running = false
			q.queue, q.groups = nil, nil
			q.mu.Unlock()
			return false
		}
		pause := time.Until(q.notBefore)
		q.mu.Unlock()
		if pause <= 0 {
			return true
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-q.wake:
			timer.Stop()
		}
	}
}

// push sends the next entries and settles them.
func (q *stream) push(ctx context.Context, cancel context.CancelFunc) {
	f, wires := q.take(cancel)
	if f == nil {
		return
	}
	a := q.prove(ctx)
	if a.kind == answerStored {
		a = q.sink.push(ctx, q.labels, wires)
	}
	q.settle(f, a)
}

// take returns the entries of the next push, oldest first: in that order none
// of them is behind because of another.
func (q *stream) take(cancel context.CancelFunc) (*flight, [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	entries := q.next()
	if len(entries) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(entries, func(a, b *entry) int { return compare(a.ns, b.ns) })
	f := &flight{entries: entries, waiting: len(entries), cancel: cancel}
	wires := make([][]byte, len(entries))
	for i, e := range entries {
		e.flight = f
		wires[i] = e.wire
	}
	q.live -= len(entries)
	return f, wires
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// next removes what fits into one push from the first group, or from the queue.
func (q *stream) next() []*entry {
	for len(q.groups) > 0 {
		group := slices.DeleteFunc(q.groups[0], gone)
		q.groups = q.groups[1:]
		if len(group) > 0 {
			return group
		}
	}
	size := fieldSize(streamLabels, len(q.labels)) + 2*protowire.SizeVarint(maxPushBytes)
	var entries []*entry
	used := 0
	for _, e := range q.queue {
		if !gone(e) {
			size += fieldSize(streamEntries, len(e.wire))
			if len(entries) > 0 && (size > maxPushBytes || len(entries) >= q.most) {
				break
			}
			entries = append(entries, e)
		}
		used++
	}
	clear(q.queue[:used]) // for the collector
	q.queue = q.queue[used:]
	if len(q.queue) == 0 {
		q.queue = nil
	}
	return entries
}

// backoff sets the pause before the next push: doubled with every failure, and
// between half and all of it, so that many processes do not come back at once.
func (q *stream) backoff() {
	pause := min(firstBackoff<<min(q.failures, 10), maxBackoff)
	q.failures++
	q.notBefore = time.Now().Add(pause/2 + rand.N(pause/2))
}
