package recordlog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// maxPending bounds the memory of records that wait for their fsync. Append waits when
// there is no room.
const maxPending = 4 << 20

// Errors of Append, beside those of the disk and of Options.Full.
var (
	ErrSealed   = errors.New("the log is closed")
	ErrNumbers  = errors.New("no sequence number is left")
	ErrTooLarge = fmt.Errorf("a record takes at most %d bytes", MaxPayload)
)

// batch is what one fsync makes durable. Each Append that added to it waits for done.
type batch struct {
	buf   []byte
	first uint64    // sequence number
	count int64     // records
	at    time.Time // of the first

	err  error // set before done is closed
	done chan struct{}
}

// Append appends a record for each payload, and returns the outcome of each: nil when it
// is fsynced. Records that are appended at the same time share an fsync. When ctx ends
// first, whether they are stored is unknown.
func (l *Log) Append(ctx context.Context, payloads ...[]byte) []error {
	errs := make([]error, len(payloads))
	batches := make([]*batch, len(payloads))
	for i, payload := range payloads {
		batches[i], errs[i] = l.add(ctx, payload)
	}
	l.work.Signal() // after the last, so that one fsync is enough
	for i, b := range batches {
		if b != nil {
			errs[i] = b.wait(ctx)
		}
	}
	return errs
}

// add puts a record into the pending batch once there is room for it.
func (l *Log) add(ctx context.Context, payload []byte) (*batch, error) {
	if len(payload) > MaxPayload {
		return nil, ErrTooLarge
	}
	size := int64(headSize + len(payload))
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; ; l.awaitNews(ctx) {
		stats := l.stats
		stats.Bytes += size
		full := l.opts.Full(stats)
		switch {
		case l.sealed:
			return nil, ErrSealed
		case l.seq >= maxSeq:
			return nil, fmt.Errorf("%w in %s: a file there, or in its %s, has a number that no log has given: take it away, and open the log again",
				ErrNumbers, l.dir, damagedDir)
		case full == nil && (l.pending == nil || int64(len(l.pending.buf))+size <= maxPending):
			return l.put(payload), nil
		case full != nil && !l.opts.Wait:
			return nil, full
		case full != nil && ctx.Err() != nil:
			return nil, fmt.Errorf("%w: %w", full, ctx.Err())
		case ctx.Err() != nil:
			return nil, fmt.Errorf("not written: the disk is busy with earlier records: %w", ctx.Err())
		}
		l.work.Signal()
	}
}

// put appends a record to the pending batch. l.mu is held.
func (l *Log) put(payload []byte) *batch {
	now := time.Now()
	l.seq++
	if l.pending == nil {
		l.pending = &batch{first: l.seq, at: now, done: make(chan struct{})}
		if last := len(l.spares) - 1; last >= 0 {
			l.pending.buf, l.spares = l.spares[last], l.spares[:last]
		}
	}
	b := l.pending
	b.buf = AppendRecord(b.buf, l.seq, now, payload)
	b.count++
	l.stats.Bytes += int64(headSize + len(payload))
	return b
}

// wait waits until b is durable or ctx ends.
func (b *batch) wait(ctx context.Context) error {
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return fmt.Errorf("the disk has not confirmed yet, so the outcome is unknown: %w", ctx.Err())
	}
}
