package recordlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// maxReads is how often Next tries to read what the disk refuses. After that it passes
// over the blocks in question and keeps the segment.
const maxReads = 5

// readBlock is what a disk refuses to read when one byte of it is bad.
const readBlock = 4096

// Record is a record that Next has returned.
type Record struct {
	Step

	segment *segment
	done    bool // acknowledged; guarded by Log.mu
}

// reader walks through the segments.
type reader struct {
	segment *segment // nil between two segments
	file    File
	data    []byte // of the segment, from its start
	off     int    // where the next step begins
	last    uint64 // the sequence number of the last record
	refused int    // reads in a row that the disk refused
}

// Next returns the next record, which then waits for Acknowledge or Reject. When there is
// none it waits for one, or returns nil if it is not to wait. It also returns nil when
// ctx has ended, and when the log is sealed and everything is read. After an error of the
// disk it can be called again, which goes on at the same place.
//
// The payload of the record is valid until the next call. Next is not safe for concurrent
// use with itself and Reject.
func (l *Log) Next(ctx context.Context, wait bool) (*Record, error) {
	r := &l.reader
	for ctx.Err() == nil {
		s, ok := next(r.data, r.off)
		if !ok {
			if more, err := l.readOn(ctx, wait); err != nil || !more {
				return nil, err
			}
			continue
		}
		r.off = s.End
		if rec := l.take(s); rec != nil {
			return rec, nil
		}
	}
	return nil, nil
}

// take puts the record of a step into the window. It returns nil when the step is over
// damage, or over a record that is not to be read again.
func (l *Log) take(s Step) *Record {
	r := &l.reader
	if !s.Whole {
		behind, _ := next(r.data, s.End)
		if !behind.Whole || behind.Seq-1 > l.earlier { // otherwise all that stood there was acknowledged
			l.saveDamage(s, nil)
		}
		return nil
	}
	if s.Seq <= r.last || s.Seq <= l.earlier {
		return nil // acknowledged by an earlier process, or written over
	}
	r.last = s.Seq
	rec := &Record{Step: s, segment: r.segment}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.window) == 0 {
		l.stats.Oldest = rec.At
	}
	l.window = append(l.window, rec)
	l.taken = rec.Seq
	r.segment.underWay++
	return rec
}

// readOn makes more of the current segment available, or turns to the next segment. It
// reports false where Next has to return nil.
func (l *Log) readOn(ctx context.Context, wait bool) (more bool, err error) {
	r := &l.reader
	l.mu.Lock()
	for !l.hasMore() {
		if !wait || l.flushed || ctx.Err() != nil {
			l.mu.Unlock()
			return false, nil
		}
		l.awaitNews(ctx)
	}
	size := int(r.segment.size)
	l.mu.Unlock()
	if len(r.data) < size {
		return true, l.fill(size)
	}
	return true, l.leave()
}

// hasMore reports that the current segment, or the next one, can be read or left. l.mu is
// held.
func (l *Log) hasMore() bool {
	r := &l.reader
	if r.segment == nil {
		i := slices.IndexFunc(l.segments, func(seg *segment) bool { return !seg.read })
		if i < 0 {
			return false
		}
		r.segment = l.segments[i]
	}
	return len(r.data) < int(r.segment.size) || r.segment.sealed
}

// fill reads the current segment up to size. When the disk refuses, the next call tries
// again, up to maxReads times: then zeros stand for the blocks that it cannot read.
func (l *Log) fill(size int) (err error) {
	r := &l.reader
	if r.file == nil {
		r.file, err = l.opts.Disk.OpenFile(r.segment.path, os.O_RDONLY)
	}
	had := len(r.data)
	data := slices.Grow(r.data, size-had)[:size]
	clear(data[had:])
	if err == nil {
		err = readWhole(r.file, data[had:], int64(had))
	}
	if err == nil {
		r.data, r.refused = data, 0
		return nil
	}
	r.refused++
	if gone := errors.Is(err, fs.ErrNotExist); gone || r.file != nil && r.refused >= maxReads {
		r.data, r.refused = data, 0
		l.mu.Lock()
		r.segment.unread = true
		l.mu.Unlock()
	}
	return fmt.Errorf("reading %s: %w", r.segment.path, err)
}

// readWhole fills buf from off. Where the disk refuses, zeros stand for the blocks that
// it cannot read, and the error says why.
func readWhole(f File, buf []byte, off int64) error {
	n, unreadable := f.ReadAt(buf, off)
	if n == len(buf) {
		return nil
	}
	clear(buf[n:])
	for at := n - n%readBlock; at < len(buf); at += readBlock {
		block := buf[at:min(at+readBlock, len(buf))]
		if m, err := f.ReadAt(block, off+int64(at)); m < len(block) {
			clear(block[m:])
			unreadable = err
		}
	}
	return unreadable
}

// leave is called when all of a sealed segment is read.
func (l *Log) leave() error {
	seg := l.reader.segment
	l.closeSegment()
	l.mu.Lock()
	seg.read = true
	drop := l.dropDrained()
	l.mu.Unlock()
	return l.removeAll(drop)
}

// closeSegment ends the reading of the current segment. The sequence number of its last
// record stays.
func (l *Log) closeSegment() {
	r := &l.reader
	if r.file != nil {
		_ = r.file.Close() // it was only read
	}
	l.reader = reader{data: r.data[:0], last: r.last}
}
