package spool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// maxPending bounds the memory of events that wait for their fsync. A writer for
// whom there is no room waits.
const maxPending = 4 << 20

var (
	errClosed  = errors.New("the spool is closed")
	errTooOld  = errors.New("the oldest event waits longer than MaxAge: see why the next sink does not take it")
	errTooMany = errors.New("the waiting events and the dead letters would exceed MaxBytes: " +
		"see why the next sink does not take them, and requeue or remove the dead letters")
)

// batch is what one fsync makes durable. Its writers wait for done.
type batch struct {
	buf         []byte
	first, last uint64
	count       int64
	at          time.Time // of the first

	err  error // set before done is closed
	done chan struct{}
}

// store is the transport of Write.
func (s *Sink) store(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	b, err := s.encodeAndEnqueue(ctx, ae)
	if err != nil {
		return err
	}
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

var payloads = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled keeps what a rare giant event needed out of the pool.
const maxPooled = 64 << 10

func (s *Sink) encodeAndEnqueue(ctx context.Context, ae *v1alpha1.AuditEvent) (*batch, error) {
	buffer, ok := payloads.Get().(*[]byte)
	if !ok {
		panic("spool: the pool of payloads holds something else")
	}
	*buffer = eventjson.Append((*buffer)[:0], ae)
	defer func() {
		if cap(*buffer) <= maxPooled {
			payloads.Put(buffer)
		}
	}()
	if n := len(*buffer); n > maxPayload {
		return nil, auditing.Permanent(fmt.Errorf("the event takes %d bytes, at most %d: shorten its metadata", n, maxPayload))
	}
	return s.enqueue(ctx, *buffer)
}

// enqueue puts payload into the pending batch, when there is room for it.
func (s *Sink) enqueue(ctx context.Context, payload []byte) (*batch, error) {
	sum := checksum(payload)
	size := int64(headSize + len(payload))
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, auditing.WithClass(auditing.ClassClosed, errClosed)
		}
		now := time.Now()
		full := s.full(now, size)
		if full == nil && (s.pending == nil || int64(len(s.pending.buf))+size <= maxPending) {
			b := s.add(now, payload, sum)
			s.mu.Unlock()
			signal(s.wakeCommitter)
			return b, nil
		}
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		if full != nil && s.opts.WhenFull == FailWhenFull {
			return nil, auditing.WithClass(auditing.ClassFull, full)
		}
		select {
		case <-room:
		case <-s.closing:
		case <-ctx.Done():
			if full != nil {
				return nil, auditing.WithClass(auditing.ClassFull, fmt.Errorf("%w: %w", full, ctx.Err()))
			}
			return nil, fmt.Errorf("not written: the disk is busy with earlier events: %w", ctx.Err())
		}
	}
}

// full says which bound of the Options leaves no room for size bytes. s.mu is held.
func (s *Sink) full(now time.Time, size int64) error {
	switch {
	case s.bytes+s.dead.bytes+size > s.opts.MaxBytes:
		return errTooMany
	case s.opts.MaxAge > 0 && s.age(now) > s.opts.MaxAge:
		return errTooOld
	}
	return nil
}

// age is how long the oldest event has waited; 0 when none waits. s.mu is held.
func (s *Sink) age(now time.Time) time.Duration {
	if s.depth == 0 {
		return 0
	}
	return max(now.Sub(s.headAt), 0)
}

// add appends a record to the pending batch. s.mu is held.
func (s *Sink) add(now time.Time, payload []byte, sum uint32) *batch {
	s.seq++
	b := s.pending
	if b == nil {
		b = &batch{first: s.seq, at: now, done: make(chan struct{})}
		if last := len(s.spares) - 1; last >= 0 {
			b.buf, s.spares = s.spares[last], s.spares[:last]
		}
		s.pending = b
	}
	before := len(b.buf)
	b.buf = appendRecord(b.buf, s.seq, now, payload, sum)
	b.last = s.seq
	b.count++
	s.bytes += int64(len(b.buf) - before)
	return b
}

// moreRoom wakes the writers that wait for room. s.mu is held.
func (s *Sink) moreRoom() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}

// ofDisk classifies an error of the disk.
func ofDisk(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return auditing.WithClass(auditing.ClassFull, err)
	}
	return err
}
