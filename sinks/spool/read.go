package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// reader walks through the segments. It belongs to the sender.
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
	event   *v1alpha1.AuditEvent
	done    bool // guarded by Sink.mu
}

// nextEntry waits for the next event to deliver, and puts it into the window. It
// returns nil when ctx has ended, or when the Sink is closed and all are read.
func (s *Sink) nextEntry(ctx context.Context) *entry {
	r := &s.reader
	for ctx.Err() == nil {
		if r.segment == nil {
			if open, flushed := s.openNext(); !open {
				if flushed {
					return nil
				}
				s.awaitMore(ctx)
				continue
			}
		}
		step := next(r.data, r.off)
		switch step.finding {
		case foundEnd:
			s.readOn(ctx)
			continue
		case foundRecord:
			r.off = step.end
			if e := s.entryOf(step); e != nil {
				return e
			}
		case foundDamage, foundTail:
			s.passDamage(step)
		}
	}
	return nil
}

// entryOf returns nil for a record that is not to be delivered.
func (s *Sink) entryOf(step found) *entry {
	r := &s.reader
	if step.seq <= r.last || step.seq <= s.earlier {
		return nil // delivered in an earlier life, or written over
	}
	r.last = step.seq
	ae, err := eventjson.Parse(step.payload)
	if err != nil {
		s.setAside(r.segment, r.data, step, fmt.Errorf("a record that holds no event: %w", err))
		return nil
	}
	e := &entry{seq: step.seq, at: step.at, size: int64(step.end - step.start), segment: r.segment, event: ae}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.window) == 0 {
		s.headAt = e.at
	}
	s.window = append(s.window, e)
	r.segment.underWay++
	return e
}

// passDamage sets aside what is no record, unless all that can have stood there
// is delivered.
func (s *Sink) passDamage(step found) {
	r := &s.reader
	r.off = step.end
	behind := next(r.data, step.end)
	if behind.finding == foundRecord && behind.seq-1 <= s.earlier {
		return
	}
	s.setAside(r.segment, r.data, step, nil)
}

// openNext turns to the oldest segment that is not read. When there is none it
// says whether there will be one.
func (s *Sink) openNext() (open, flushed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.segments, func(seg *segment) bool { return !seg.read })
	if i < 0 {
		return false, s.flushed
	}
	s.reader = reader{segment: s.segments[i], data: s.reader.data[:0], last: s.reader.last}
	return true, false
}

// readOn is called at the end of what is read: it reads what has been committed
// since, leaves a segment that is at its end, or waits.
func (s *Sink) readOn(ctx context.Context) {
	r := &s.reader
	s.mu.Lock()
	size, sealed := int(r.segment.size), r.segment.sealed
	s.mu.Unlock()
	switch {
	case len(r.data) < size:
		s.fill(ctx, size)
	case sealed:
		s.leave()
	default:
		s.awaitMore(ctx)
	}
}

// maxReads is how often the sender tries to read what the disk refuses, before
// it takes the blocks in question for damaged and keeps the segment.
const maxReads = 5

// fill reads the segment up to size.
func (s *Sink) fill(ctx context.Context, size int) {
	r := &s.reader
	had := len(r.data)
	r.data = slices.Grow(r.data, size-had)
	pause := s.backoff()
	for reads := 1; ; reads++ {
		err := r.read(s.disk, r.data[had:size], int64(had))
		if err == nil {
			break
		}
		s.opts.OnFailure("", fmt.Errorf("spool: reading %s: %w", r.segment.path, err))
		gone := errors.Is(err, fs.ErrNotExist)
		if gone || r.file != nil && reads >= maxReads {
			s.suspect(r.segment)
			r.segment.unread = true
			break
		}
		if !wait(ctx, pause.NextBackOff()) {
			return
		}
	}
	r.data = r.data[:size]
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

func (s *Sink) suspect(seg *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg.suspect = true
}

// leave is called when the sender has read a sealed segment.
func (s *Sink) leave() {
	r := &s.reader
	seg := r.segment
	s.closeReader()
	s.mu.Lock()
	seg.read = true
	drop := s.dropDrained()
	s.mu.Unlock()
	s.removeAll(drop)
}

func (s *Sink) closeReader() {
	if s.reader.file != nil {
		_ = s.reader.file.Close() // it was only read
	}
	s.reader.file, s.reader.segment = nil, nil
}

func (s *Sink) awaitMore(ctx context.Context) {
	select {
	case <-s.wakeSender:
	case <-ctx.Done():
	}
}

// dropDrained takes the segments out of which nothing is left to deliver. s.mu is held.
func (s *Sink) dropDrained() []*segment {
	var drop []*segment
	s.segments = slices.DeleteFunc(s.segments, func(seg *segment) bool {
		if !seg.read || seg.underWay > 0 {
			return false
		}
		drop = append(drop, seg)
		s.depth -= seg.waiting // what was damaged
		s.bytes -= seg.bytes
		return true
	})
	if len(drop) > 0 {
		s.moreRoom()
	}
	return drop
}

// removeAll removes segments, or keeps those that somebody may still want to look at.
func (s *Sink) removeAll(drop []*segment) {
	for _, seg := range drop {
		err := error(nil)
		if seg.suspect {
			err = s.keep(seg)
		} else {
			err = s.disk.remove(seg.path)
		}
		if err != nil {
			// It is delivered, so the next start removes it.
			s.opts.OnFailure("", errors.Join(fmt.Errorf("spool: removing %s", seg.path), err))
		}
	}
}
