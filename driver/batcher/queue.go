package batcher

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/paddock-dev/audit/driver"
)

// Queue sends items that may share a request. It has goroutines only while there are items to
// send. Make one with Batcher.Queue.
type Queue[T any] struct {
	batcher *Batcher[T]
	send    Send[T]

	mu        sync.Mutex
	batches   []*batch[T] // to be sent in this order
	waiting   int         // items without an outcome
	senders   int         // goroutines that send
	splitting int         // batches that are being sent again in parts
}

// batch is a group of items that are sent together.
type batch[T any] struct {
	values []T                // by slot; none is added after the batch has left the queue
	bytes  int                // of values
	cancel context.CancelFunc // ends its requests; nil while it is in the queue

	// outcomes holds an error for each slot, or errOpen where there is none yet. It is nil
	// until the first item has an outcome before the others, or fails.
	outcomes  []error
	waiting   int           // items without an outcome
	splitting bool          // it is being sent again in parts
	over      bool          // all have their outcome
	done      chan struct{} // closed when over
}

// Waiting returns the number of items without an outcome.
func (q *Queue[T]) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}

// add puts an item into the last batch of the queue, or into a new one when that is full.
// It is sent after a call of start, or with start.
func (q *Queue[T]) add(it *Item[T], size int, start bool) {
	opts := &q.batcher.opts
	q.mu.Lock()
	defer q.mu.Unlock()
	var p *batch[T]
	if n := len(q.batches); n > 0 {
		p = q.batches[n-1]
	}
	if p == nil || p.bytes+size > opts.MaxBytes || opts.MaxItems > 0 && len(p.values) >= opts.MaxItems {
		p = &batch[T]{done: make(chan struct{})}
		if spare, ok := q.batcher.spares.Get().(*[]T); ok {
			p.values = *spare
		}
		q.batches = append(q.batches, p)
	}
	it.batch, it.slot = p, len(p.values)
	p.values = append(p.values, it.Value)
	if p.outcomes != nil {
		p.outcomes = append(p.outcomes, errOpen)
	}
	p.bytes += size
	p.waiting++
	q.waiting++
	if start {
		q.startLocked()
	}
}

// start starts senders for the batches in the queue, as far as they are needed.
func (q *Queue[T]) start() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.startLocked()
}

// startLocked is start for callers that hold q.mu.
func (q *Queue[T]) startLocked() {
	for q.needsSender(q.senders) {
		q.senders++
		q.batcher.senders.Go(q.run)
	}
}

// needsSender reports whether the queue needs a sender in addition to this many others.
// While a batch is sent again in parts, no other one is under way. The caller holds q.mu.
func (q *Queue[T]) needsSender(others int) bool {
	opts := &q.batcher.opts
	if len(q.batches) == 0 || others >= opts.MaxPerQueue {
		return false
	}
	crowded := len(q.batches) > 1 || q.batches[0].waiting >= opts.Crowd
	return others == 0 || crowded && q.splitting == 0
}

// run sends batches until the queue is empty, or the other senders are enough for it.
func (q *Queue[T]) run() {
	returned := false
	defer func() {
		if !returned { // send has ended the goroutine
			q.mu.Lock()
			defer q.mu.Unlock()
			q.senders--
			q.startLocked()
		}
	}()
	for {
		more, failed := q.round()
		if !more {
			break
		}
		if failed {
			select {
			case <-time.After(q.batcher.opts.Pause):
			case <-q.batcher.life.Done():
			}
		}
	}
	returned = true
}

// round sends the next batch. It returns false when the sender has to end.
func (q *Queue[T]) round() (more, failed bool) {
	q.batcher.flying <- struct{}{} // items that are added until there is a token join the batch
	defer func() { <-q.batcher.flying }()
	ctx, p := q.take()
	if p == nil {
		return false, false
	}
	defer q.finish(p)
	return true, q.deliver(ctx, p)
}

// take removes the first batch from the queue. It is nil when the sender has to end.
func (q *Queue[T]) take() (context.Context, *batch[T]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.needsSender(q.senders - 1) {
		q.senders--
		return nil, nil
	}
	p := q.batches[0]
	q.batches = slices.Delete(q.batches, 0, 1)
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(q.batcher.life)
	return ctx, p
}

// finish tells the writers of p that all its items have an outcome.
func (q *Queue[T]) finish(p *batch[T]) {
	q.mu.Lock()
	if !p.over {
		for slot := range p.values {
			q.settle(p, slot, errNoReturn) // it has one, unless send has ended the goroutine
		}
		p.over = true
	}
	if p.splitting {
		q.splitting--
	}
	values := p.values
	p.values = nil
	q.mu.Unlock()
	p.cancel()
	close(p.done) // without the mutex, which the writers that wake up lock
	clear(values)
	if values = values[:0]; cap(values) <= maxSpare {
		q.batcher.spares.Put(&values)
	}
}

// maxSpare bounds the items of a slice that is kept for a later batch.
const maxSpare = 4096

// await returns the outcome of an item of p. When ctx ends first, the writer gives up. The
// request goes on while other writers wait for it.
func (q *Queue[T]) await(ctx context.Context, p *batch[T], slot int) error {
	select {
	case <-p.done:
		return p.outcome(slot)
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := p.outcome(slot); p.over || err != errOpen { //nolint:errorlint // it is never wrapped
		return err
	}
	known := unclear
	if p.cancel == nil {
		known = notSent
		var none T
		p.values[slot] = none // the slot stays, without the memory of the item
	}
	err := fmt.Errorf("%s: %w", known, context.Cause(ctx))
	q.settle(p, slot, err)
	switch {
	case p.waiting > 0:
	case p.cancel == nil:
		q.batches = slices.DeleteFunc(q.batches, func(other *batch[T]) bool { return other == p })
	default:
		p.cancel()
	}
	return err
}

// outcome returns the outcome of an item, or errOpen. The caller holds the mutex of the queue,
// or p is over.
func (p *batch[T]) outcome(slot int) error {
	switch {
	case p.outcomes != nil:
		return p.outcomes[slot]
	case p.over:
		return nil
	}
	return errOpen
}

// settle sets the outcome of an item that has none. The caller holds q.mu.
func (q *Queue[T]) settle(p *batch[T], slot int, outcome error) {
	if p.outcomes == nil {
		p.outcomes = driver.All(len(p.values), errOpen)
	}
	if p.outcomes[slot] == errOpen { //nolint:errorlint // it is never wrapped
		p.outcomes[slot] = outcome
		p.waiting--
		q.waiting--
	}
}
