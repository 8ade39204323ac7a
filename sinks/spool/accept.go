package spool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// maxPending bounds the memory of events that wait for their fsync. A writer for
// whom there is no room waits.
const maxPending = 4 << 20

// acceptedBatch is how many events one Store takes well: they share an fsync.
const acceptedBatch = 1024

var (
	errClosed  = errors.New("the spool is closed")
	errTooOld  = errors.New("the oldest event waits longer than MaxAge: see why the next sink does not take it")
	errTooMany = errors.New("the waiting events and the dead letters would exceed MaxBytes: " +
		"see why the next sink does not take them, and requeue or remove the dead letters")
)

// batch is what one fsync makes durable. Who added to it waits for done.
type batch struct {
	buf         []byte
	first, last uint64
	count       int64
	at          time.Time // of the first

	err  error // set before done is closed
	done chan struct{}
}

// Store puts the records of all events into the pending batch, and returns when they
// are fsynced.
func (q *queue) Store(ctx context.Context, events []*driver.Event) []error {
	errs := make([]error, len(events))
	batches := make([]*batch, len(events))
	for i, e := range events {
		batches[i], errs[i] = q.accept(ctx, e)
	}
	signal(q.wakeCommitter) // not before all are there, so that one fsync does for them
	stored := true
	for i, b := range batches {
		if b != nil {
			errs[i] = b.wait(ctx)
		}
		stored = stored && errs[i] == nil
	}
	if stored {
		return nil
	}
	return errs
}

var payloads = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled keeps what a rare giant event needed out of the pool.
const maxPooled = 64 << 10

// accept encodes e into the pending batch, when there is room for it.
func (q *queue) accept(ctx context.Context, e *driver.Event) (*batch, error) {
	buffer := payloads.Get().(*[]byte) //nolint:forcetypeassert // it holds nothing else
	*buffer = e.AppendJSON((*buffer)[:0])
	defer func() {
		if cap(*buffer) <= maxPooled {
			payloads.Put(buffer)
		}
	}()
	return q.enqueue(ctx, *buffer)
}

// enqueue puts the record of payload into the pending batch.
func (q *queue) enqueue(ctx context.Context, payload []byte) (*batch, error) {
	if len(payload) > maxPayload {
		return nil, driver.Permanent(fmt.Errorf("the event takes %d bytes, at most %d: shorten its metadata", len(payload), maxPayload))
	}
	sum := checksum(payload)
	size := int64(headSize + len(payload))
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return nil, driver.WithClass(auditing.ClassClosed, errClosed)
		}
		now := time.Now()
		full := q.full(now, size)
		if full == nil && (q.pending == nil || int64(len(q.pending.buf))+size <= maxPending) {
			b := q.add(now, payload, sum)
			q.mu.Unlock()
			return b, nil
		}
		if q.room == nil {
			q.room = make(chan struct{})
		}
		room := q.room
		q.mu.Unlock()
		if full != nil && q.opts.WhenFull == FailWhenFull {
			return nil, driver.WithClass(auditing.ClassFull, full)
		}
		signal(q.wakeCommitter)
		select {
		case <-room:
		case <-q.closing:
		case <-ctx.Done():
			if full != nil {
				return nil, driver.WithClass(auditing.ClassFull, fmt.Errorf("%w: %w", full, ctx.Err()))
			}
			return nil, fmt.Errorf("not written: the disk is busy with earlier events: %w", ctx.Err())
		}
	}
}

// wait waits until b is durable, and no longer than ctx lasts.
func (b *batch) wait(ctx context.Context) error {
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
	}
	select {
	case <-b.done:
		return b.err
	default:
		return fmt.Errorf("the disk has not confirmed yet, so the outcome is unknown: %w", ctx.Err())
	}
}

// full says which bound of the Options leaves no room for size bytes. q.mu is held.
func (q *queue) full(now time.Time, size int64) error {
	switch {
	case q.bytes+q.dead.bytes+size > q.opts.MaxBytes:
		return errTooMany
	case q.opts.MaxAge > 0 && q.age(now) > q.opts.MaxAge:
		return errTooOld
	}
	return nil
}

// age is how long the oldest event has waited; 0 when none waits. q.mu is held.
func (q *queue) age(now time.Time) time.Duration {
	if q.depth == 0 {
		return 0
	}
	return max(now.Sub(q.headAt), 0)
}

// add appends a record to the pending batch. q.mu is held.
func (q *queue) add(now time.Time, payload []byte, sum uint32) *batch {
	q.seq++
	b := q.pending
	if b == nil {
		b = &batch{first: q.seq, at: now, done: make(chan struct{})}
		if last := len(q.spares) - 1; last >= 0 {
			b.buf, q.spares = q.spares[last], q.spares[:last]
		}
		q.pending = b
	}
	before := len(b.buf)
	b.buf = appendRecord(b.buf, q.seq, now, payload, sum)
	b.last = q.seq
	b.count++
	q.bytes += int64(len(b.buf) - before)
	return b
}

// moreRoom wakes the writers that wait for room. q.mu is held.
func (q *queue) moreRoom() {
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
}

// ofDisk classifies an error of the disk.
func ofDisk(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return driver.WithClass(auditing.ClassFull, err)
	}
	return err
}
