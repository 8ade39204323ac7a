package recordlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/paddock-dev/audit/internal/disk"
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
	segment *segment  // nil between two segments
	file    disk.File // nil until the segment is read
	data    []byte    // of the segment, from its start
	off     int       // where the next step begins
	refused int       // reads of the segment in a row that failed
}

// Next returns the next record, which is then to be passed to Acknowledge or Reject. When
// there is no record, it waits for one, or returns nil if wait is false. It also returns nil
// when ctx has ended, and when the log is sealed and everything is read. After an error of
// the disk, the next call goes on at the same place.
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
		acknowledged := behind.Whole && behind.Seq-1 <= l.earlier
		if !acknowledged && !slices.Contains(r.segment.told, s.Start) {
			l.saveDamage(r.segment, r.data, s, nil)
		}
		return nil
	}
	if s.Seq <= l.taken { // nobody else changes it
		return nil // acknowledged by an earlier process, or written over
	}
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

// readOn makes more of the current segment available, turns to the next segment, or waits.
// It reports false when there is nothing more, and nothing to wait for.
func (l *Log) readOn(ctx context.Context, wait bool) (more bool, err error) {
	r := &l.reader
	l.mu.Lock()
	if !l.hasMore() {
		defer l.mu.Unlock()
		if !wait || l.flushed {
			return false, nil
		}
		l.awaitNews(ctx)
		return true, nil
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
func (l *Log) fill(size int) error {
	r := &l.reader
	had := len(r.data)
	data := slices.Grow(r.data, size-had)[:size]
	err := r.read(l.opts.Disk, data[had:], int64(had))
	if err == nil {
		r.data, r.refused = data, 0
		return nil
	}
	if r.file != nil {
		r.refused++
	}
	if r.refused == maxReads || errors.Is(err, fs.ErrNotExist) || errors.Is(err, disk.ErrIrregular) {
		r.data, r.refused = data, 0
		l.mu.Lock()
		r.segment.unread = true
		l.mu.Unlock()
	}
	return fmt.Errorf("reading %s: %w", r.segment.path, err)
}

// read fills buf from the file of the segment, which it opens where it is not. Where the
// disk refuses, zeros stand for the blocks that it cannot read, and the error says why.
func (r *reader) read(d disk.Disk, buf []byte, off int64) (err error) {
	clear(buf)
	if r.file == nil {
		if r.file, err = d.OpenFile(r.segment.path, os.O_RDONLY, 0); err != nil {
			return err
		}
	}
	n, err := r.file.ReadAt(buf, off)
	if n == len(buf) {
		return nil
	}
	for at := n - n%readBlock; at < len(buf); at += readBlock {
		block := buf[at:min(at+readBlock, len(buf))]
		if m, failed := r.file.ReadAt(block, off+int64(at)); m < len(block) {
			clear(block[m:])
			err = failed
		}
	}
	return err
}

func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close() // it was only read
	}
}

// leave is called when all of a sealed segment is read. Only the buffer is kept.
func (l *Log) leave() error {
	r := &l.reader
	l.mu.Lock()
	r.segment.read = true
	drop := l.dropDrained()
	l.mu.Unlock()
	r.close()
	l.reader = reader{data: r.data[:0]}
	return l.removeAll(drop)
}
