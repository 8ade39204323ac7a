package batcher

import (
	"context"
	"fmt"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// Item is an item of Batcher.Store.
type Item[T any] struct {
	Value T
	// Queue takes the item. When nil, Store leaves the item as it is.
	Queue *Queue[T]
	// Err is the outcome, which Store sets.
	Err error

	memory int64
	batch  *batch[T] // nil unless it is in one
	slot   int       // in batch
}

// Store puts all items into the queue, waits until each has an outcome, and returns the
// outcomes: nil when all are stored. When ctx ends first, the error of an item says whether it
// was sent. It fails with auditing.ClassFull when ctx ends before there is room, with
// auditing.ClassPermanent for an item that is larger than all room, and with
// auditing.ClassClosed after Close.
func (q *Queue[T]) Store(ctx context.Context, values []T) []error {
	b := q.batcher
	if err := b.Enter(len(values)); err != nil {
		return driver.All(len(values), err)
	}
	var one [1]Item[T] // most calls have one item, and this one is not allocated
	items := one[:]
	if len(values) != 1 {
		items = make([]Item[T], len(values))
	}
	for i, v := range values {
		items[i].Value, items[i].Queue = v, q
	}
	defer b.Leave(items)
	b.Store(ctx, items)
	var errs []error
	for i := range items {
		if items[i].Err == nil {
			continue
		}
		if errs == nil {
			errs = make([]error, len(items))
		}
		errs[i] = items[i].Err
	}
	return errs
}

// Store puts each item into its queue, and waits until each has its outcome, as Queue.Store does.
// The caller has called Enter, and calls Leave afterwards. It may set another Queue and Store an
// item again.
func (b *Batcher[T]) Store(ctx context.Context, items []Item[T]) {
	alone := len(items) == 1
	first := 0
	for i := range items {
		it := &items[i]
		if it.Queue == nil {
			continue
		}
		size := b.size(it)
		if !b.room.TryAcquire(it.memory) {
			// A Store first waits for its own items, so that it holds no room while it
			// waits for more. Otherwise two Stores could wait for each other.
			b.await(ctx, items[first:i])
			first = i
			if it.Err = b.awaitRoom(ctx, it.memory); it.Err != nil {
				continue
			}
		}
		it.Queue.add(it, size, alone)
	}
	if !alone {
		b.await(ctx, items[first:])
	} else if items[0].batch != nil {
		b.awaitOne(ctx, &items[0])
	}
}

// size returns the size of an item, and sets the memory that it takes.
func (b *Batcher[T]) size(it *Item[T]) (size int) {
	if b.opts.Size != nil {
		size = b.opts.Size(it.Value)
	}
	it.memory = int64(size) + itemMemory
	return size
}

// await starts the queues of those items that are in one, and waits for the items.
func (b *Batcher[T]) await(ctx context.Context, items []Item[T]) {
	var last *Queue[T]
	for i := range items {
		// Not before all of them are added, so that they share requests.
		if q := items[i].Queue; items[i].batch != nil && q != last {
			q.start()
			last = q
		}
	}
	for i := range items {
		if items[i].batch != nil {
			b.awaitOne(ctx, &items[i])
		}
	}
}

func (b *Batcher[T]) awaitOne(ctx context.Context, it *Item[T]) {
	it.Err = it.Queue.await(ctx, it.batch, it.slot)
	it.batch = nil
	b.room.Release(it.memory)
}

const (
	notSent = "not sent"
	unclear = "the outcome is unknown, and writing the event again is harmless"
)

func (b *Batcher[T]) awaitRoom(ctx context.Context, memory int64) error {
	if memory > b.opts.MaxPendingBytes {
		return driver.Permanent(fmt.Errorf("%s: the event needs %d bytes of memory, and there are %d (MaxPendingBytes)",
			notSent, memory, b.opts.MaxPendingBytes))
	}
	ctx, cancel := b.Context(ctx)
	defer cancel()
	err := b.room.Acquire(ctx, memory)
	switch {
	case b.life.Err() != nil:
		if err == nil {
			b.room.Release(memory)
		}
		return driver.WithClass(auditing.ClassClosed, fmt.Errorf("%s: %w", notSent, ErrClosed))
	case err != nil:
		return driver.WithClass(auditing.ClassFull, fmt.Errorf("%s: %d bytes of events wait already (MaxPendingBytes): %w",
			notSent, b.opts.MaxPendingBytes, context.Cause(ctx)))
	}
	return nil
}
