package recordlog

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Acknowledge forgets records that Next has returned. A segment is removed once all of its
// records are forgotten. The error is that of a removal, which the next Open makes up for.
func (l *Log) Acknowledge(records ...*Record) error {
	if len(records) == 0 {
		return nil
	}
	l.mu.Lock()
	for _, r := range records {
		r.done = true
		r.segment.underWay--
		l.forget(r.segment, 1, r.Size())
	}
	l.window = slices.DeleteFunc(l.window, func(r *Record) bool { return r.done })
	if len(l.window) > 0 {
		l.stats.Oldest = l.window[0].At
	}
	drop := l.dropDrained()
	l.mu.Unlock()
	return l.removeAll(drop)
}

// forget stops counting records of a segment. l.mu is held.
func (l *Log) forget(seg *segment, records, bytes int64) {
	seg.waiting -= records
	seg.bytes -= bytes
	l.stats.Depth -= records
	l.stats.Bytes -= bytes
	if l.stats.Depth == 0 {
		l.stats.Oldest = time.Time{}
	}
}

// dropDrained takes the segments that have nothing left to read or acknowledge. l.mu is
// held.
func (l *Log) dropDrained() (drop []*segment) {
	l.segments = slices.DeleteFunc(l.segments, func(seg *segment) bool {
		if !seg.read || seg.underWay > 0 {
			return false
		}
		drop = append(drop, seg)
		l.forget(seg, seg.waiting, seg.bytes) // records that were damaged
		return true
	})
	l.news.Broadcast() // there may be more room
	return drop
}

// removeAll removes segments, or moves them to damagedDir when they are to be kept.
func (l *Log) removeAll(segments []*segment) error {
	var errs []error
	for _, seg := range segments {
		remove := l.opts.Disk.Remove
		if seg.keep || seg.unread {
			remove = func(string) error { return l.keepSegment(seg) }
		}
		if err := remove(seg.path); err != nil {
			errs = append(errs, fmt.Errorf("removing %s: %w", seg.path, err))
		}
	}
	return errors.Join(errs...)
}
