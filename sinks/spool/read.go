package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/paddock-dev/audit/driver"
)

// reader walks through the segments.
type reader struct {
	segment *segment // nil between two
	file    file
	data    []byte // of the segment, from its start
	off     int    // where the next step begins
	last    uint64 // the sequence number of the last record
}

// entry is an event on its way to the next sink.
type entry struct {
	seq     uint64
	at      time.Time // when it was stored
	size    int64     // of its record
	segment *segment
	event   *driver.Event
	settled bool // the sender has nothing more to do with it
	done    bool // delivered, or a dead letter; guarded by queue.mu
}

// nextEntry returns the next event to deliver, and puts it into the window. Where
// none is there it waits for one, or returns nil when it is not to wait. It also
// returns nil when ctx has ended, and when the queue is closed and all are read.
// The caller holds q.reading.
func (q *queue) nextEntry(ctx context.Context, wait bool) *entry {
	r := &q.reader
	for ctx.Err() == nil {
		if r.segment == nil {
			open, flushed := q.openNext()
			if !open && (flushed || !wait) {
				return nil
			}
			if !open {
				q.awaitMore(ctx)
				continue
			}
		}
		step := next(r.data, r.off)
		switch step.finding {
		case foundEnd:
			if !q.readOn(ctx, wait) {
				return nil
			}
		case foundRecord:
			r.off = step.end
			if e := q.entryOf(step); e != nil {
				return e
			}
		case foundDamage, foundTail:
			q.passDamage(step)
		}
	}
	return nil
}

// entryOf returns nil for a record that is not to be delivered.
func (q *queue) entryOf(step found) *entry {
	r := &q.reader
	if step.seq <= r.last || step.seq <= q.earlier {
		return nil // delivered before New, or written over
	}
	r.last = step.seq
	event, err := driver.Decode(step.payload)
	if err != nil {
		q.saveDamage(r.segment, r.data, step, fmt.Errorf("a record that holds no event: %w", err))
		return nil
	}
	e := &entry{seq: step.seq, at: step.at, size: int64(step.end - step.start), segment: r.segment, event: event}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.window) == 0 {
		q.headAt = e.at
	}
	q.window = append(q.window, e)
	q.taken = e.seq
	r.segment.underWay++
	return e
}

// passDamage sets aside what is no record, unless all that can have stood there
// is delivered.
func (q *queue) passDamage(step found) {
	r := &q.reader
	r.off = step.end
	behind := next(r.data, step.end)
	if behind.finding == foundRecord && behind.seq-1 <= q.earlier {
		return
	}
	q.saveDamage(r.segment, r.data, step, nil)
}

// openNext turns to the oldest segment that is not read. When there is none it
// says whether there will be one.
func (q *queue) openNext() (open, flushed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.segments, func(seg *segment) bool { return !seg.read })
	if i < 0 {
		return false, q.flushed
	}
	q.reader = reader{segment: q.segments[i], data: q.reader.data[:0], last: q.reader.last}
	return true, false
}

// readOn is called at the end of what is read: it reads what has been committed
// since, leaves a segment that is at its end, or waits. It reports false where it
// would have to wait and is not to.
func (q *queue) readOn(ctx context.Context, wait bool) bool {
	r := &q.reader
	q.mu.Lock()
	size, sealed := int(r.segment.size), r.segment.sealed
	q.mu.Unlock()
	switch {
	case len(r.data) < size:
		return q.fill(ctx, size, wait)
	case sealed:
		q.leave()
	case wait:
		q.awaitMore(ctx)
	default:
		return false
	}
	return true
}

// maxReads is how often the sender tries to read what the disk refuses, before
// it takes the blocks in question for damaged and keeps the segment.
const maxReads = 5

// fill reads the segment up to size, and reports false when it could not yet.
func (q *queue) fill(ctx context.Context, size int, wait bool) bool {
	r := &q.reader
	had := len(r.data)
	r.data = slices.Grow(r.data, size-had)
	pause := q.backoff()
	for reads := 1; ; reads++ {
		err := r.read(q.disk, r.data[had:size], int64(had))
		if err == nil {
			break
		}
		q.opts.OnFailure("", fmt.Errorf("spool: reading %s: %w", r.segment.path, err))
		gone := errors.Is(err, fs.ErrNotExist)
		if gone || r.file != nil && reads >= maxReads {
			q.suspect(r.segment)
			r.segment.unread = true
			break
		}
		if !wait || !sleep(ctx, pause.NextBackOff()) {
			return false
		}
	}
	r.data = r.data[:size]
	return true
}

func (r *reader) read(d disk, buf []byte, off int64) error {
	if r.file == nil {
		f, err := d.open(r.segment.path, false)
		if err != nil {
			clear(buf)
			return err
		}
		r.file = f
	}
	return readWhole(r.file, buf, off)
}

func (q *queue) suspect(seg *segment) {
	q.mu.Lock()
	defer q.mu.Unlock()
	seg.suspect = true
}

// leave is called when all of a sealed segment is read.
func (q *queue) leave() {
	r := &q.reader
	seg := r.segment
	q.closeReader()
	q.mu.Lock()
	seg.read = true
	drop := q.dropDrained()
	q.mu.Unlock()
	q.removeAll(drop)
}

func (q *queue) closeReader() {
	if q.reader.file != nil {
		_ = q.reader.file.Close() // it was only read
	}
	q.reader.file, q.reader.segment = nil, nil
}

func (q *queue) awaitMore(ctx context.Context) {
	select {
	case <-q.wakeSender:
	case <-ctx.Done():
	}
}

// dropDrained takes the segments out of which nothing is left to deliver. q.mu is held.
func (q *queue) dropDrained() []*segment {
	var drop []*segment
	q.segments = slices.DeleteFunc(q.segments, func(seg *segment) bool {
		if !seg.read || seg.underWay > 0 {
			return false
		}
		drop = append(drop, seg)
		q.depth -= seg.waiting // what was damaged
		q.bytes -= seg.bytes
		return true
	})
	if len(drop) > 0 {
		q.moreRoom()
	}
	return drop
}

// removeAll removes segments, or keeps those that somebody may still want to look at.
func (q *queue) removeAll(drop []*segment) {
	for _, seg := range drop {
		err := error(nil)
		if seg.suspect {
			err = q.keep(seg)
		} else {
			err = q.disk.remove(seg.path)
		}
		if err != nil {
			// It is delivered, so the next start removes it.
			q.opts.OnFailure("", errors.Join(fmt.Errorf("spool: removing %s", seg.path), err))
		}
	}
}
