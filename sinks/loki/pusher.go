package loki

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// batch is the room for what goes into one push, used again by later ones.
type batch struct {
	entries []*entry
	wires   [][]byte
}

func (q *stream) start() {
	q.sink.pushers.Add(1)
	go q.run()
}

// lead pushes the entry of a lone writer from its own goroutine, which saves it
// two switches of goroutines. The push ends with the writer's context, or when
// its time is over; nobody else is in it. What has come meanwhile, or has to be
// sent again, is left to a goroutine.
func (q *stream) lead(writer context.Context, until time.Time, b *batch) {
	if end := time.Now().Add(q.sink.opts.PushTimeout); end.Before(until) {
		until = end
	}
	ctx, cancel := context.WithDeadline(q.sink.pushing, until)
	defer cancel()
	if writer.Done() != nil {
		defer context.AfterFunc(writer, cancel)()
	}
	q.push(ctx, cancel, b)
	q.sink.slots <- b
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.live > 0 {
		q.start()
		return
	}
	q.pushers--
}

func (q *stream) run() {
	defer q.sink.pushers.Done()
	for q.awaitTurn() {
		select {
		case b := <-q.sink.slots:
			ctx, cancel := context.WithTimeout(q.sink.pushing, q.sink.opts.PushTimeout)
			q.push(ctx, cancel, b)
			cancel()
			q.sink.slots <- b
		case <-q.wake:
		}
	}
}

// awaitTurn waits out the pause after a failure. It returns false, and the
// goroutine is to end, when there is nothing to send, or nothing that the other
// one would not send as well.
func (q *stream) awaitTurn() bool {
	for {
		q.mu.Lock()
		if q.live == 0 || q.pushers > 1 && !q.crowded() {
			q.pushers--
			if q.live == 0 {
				q.queue, q.groups = nil, nil
			}
			if q.pushers > 0 {
				q.signal()
			}
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
func (q *stream) push(ctx context.Context, cancel context.CancelFunc, b *batch) {
	f := q.take(cancel, b)
	if f == nil {
		return
	}
	a := q.prove(ctx)
	if a.kind == answerStored {
		a = q.sink.push(ctx, q.labels, b.wires)
	}
	q.settle(f, a)
	clear(b.wires) // for the collector
	clear(b.entries)
}

// take returns the entries of the next push and their bytes, oldest first: in
// that order none of them is behind because of another.
func (q *stream) take(cancel context.CancelFunc, b *batch) *flight {
	q.mu.Lock()
	defer q.mu.Unlock()
	entries := q.next(b)
	if len(entries) == 0 {
		return nil
	}
	slices.SortStableFunc(entries, func(a, b *entry) int { return cmp.Compare(a.ns, b.ns) })
	f := &flight{entries: entries, waiting: len(entries), cancel: cancel, failures: q.failures}
	b.wires = b.wires[:0]
	for _, e := range entries {
		e.flight = f
		b.wires = append(b.wires, e.wire)
	}
	q.live -= len(entries)
	return f
}

// next removes what fits into one push from the first group, or from the queue.
func (q *stream) next(b *batch) []*entry {
	for len(q.groups) > 0 {
		group := slices.DeleteFunc(q.groups[0], gone)
		q.groups = q.groups[1:]
		if len(group) > 0 {
			return group
		}
	}
	size := fieldSize(streamLabels, len(q.labels)) + 2*protowire.SizeVarint(maxPushBytes)
	entries := b.entries[:0]
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
	q.queue = slices.Delete(q.queue, 0, used)
	b.entries = entries
	return entries
}

// backoff sets the pause before the next push: doubled with every failure, and
// between half and all of it, so that many processes do not come back at once.
func (q *stream) backoff() {
	pause := min(firstBackoff<<min(q.failures, 10), maxBackoff)
	q.failures++
	q.notBefore = time.Now().Add(pause/2 + rand.N(pause/2))
}
