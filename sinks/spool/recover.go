package spool

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// segmentFiles returns the segments in dir, oldest first.
func segmentFiles(dir string) ([]*segment, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var segments []*segment
	for _, f := range files {
		if first, ok := segmentNumber(f.Name()); ok {
			segments = append(segments, &segment{path: filepath.Join(dir, f.Name()), first: first, sealed: true})
		}
	}
	slices.SortFunc(segments, func(a, b *segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return segments, nil
}

// segmentNumber returns the number in the name of a segment, and whether it is one.
func segmentNumber(name string) (first uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, ok && err == nil
}

// recover takes stock of what an earlier process left: it counts what waits, cuts
// torn tails off, and removes what is delivered.
func (q *queue) recover() error {
	segments, err := segmentFiles(q.dir)
	if err != nil {
		return err
	}
	q.earlier = q.progress.delivered
	q.seq = max(q.earlier, lastDamaged(q.path(damagedDir)))
	q.taken = q.earlier
	for _, seg := range segments {
		if seg.first > 0 {
			q.seq = max(q.seq, seg.first-1)
		}
		damaged, err := q.takeStock(seg)
		if err != nil {
			return err
		}
		if seg.waiting == 0 && !damaged {
			if err := q.disk.remove(seg.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		q.depth += seg.waiting
		q.bytes += seg.bytes
		q.segments = append(q.segments, seg)
	}
	return nil
}

// lastDamaged returns the highest number of a segment that dir holds something of. A
// segment that lies behind an event that is set aside can be gone, and its number
// would be given out again: what was saved of it would then be replaced.
func lastDamaged(dir string) (last uint64) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0 // nothing of it can be replaced either
	}
	for _, f := range files {
		number, _, _ := strings.Cut(strings.TrimSuffix(f.Name(), segmentSuffix), "-")
		first, err := strconv.ParseUint(number, 10, 64)
		if err == nil {
			last = max(last, first)
		}
	}
	return last
}

// takeStock reads a segment, and reports whether there is damage in it that the
// sender has to set aside.
func (q *queue) takeStock(seg *segment) (damaged bool, err error) {
	f, err := q.disk.open(seg.path, false)
	if err != nil {
		return false, err
	}
	info, err := os.Stat(seg.path)
	if err != nil {
		return false, errors.Join(err, f.Close())
	}
	data := make([]byte, info.Size())
	unreadable := readWhole(f, data, 0)
	if err := f.Close(); err != nil {
		return false, err
	}
	seg.size = info.Size()
	unclear := unreadable != nil // there is damage since the last record
	defer func() {
		q.seq = max(q.seq, seg.last)
		if damaged || seg.torn {
			q.seq = max(q.seq, seg.first+uint64(info.Size())/headSize) // more records do not fit
		}
	}()
	for off := 0; ; {
		step := next(data, off)
		off = step.end
		switch step.finding {
		case foundEnd:
			if unreadable == nil { // otherwise those are not its zeros, and may be readable later
				seg.size = min(seg.size, int64(step.start)) // less when a torn end was cut off
			}
			return damaged || unclear, nil
		case foundDamage:
			unclear = true
		case foundTail:
			if unreadable != nil {
				return true, nil
			}
			q.cutTail(seg, data, step)
		case foundRecord:
			if unclear && step.seq-1 > q.earlier {
				damaged = true
			}
			unclear = unreadable != nil
			q.countRecord(seg, step)
		}
	}
}

func (q *queue) countRecord(seg *segment, step found) {
	if step.seq <= seg.last {
		return // the rest of a write that failed, written over since
	}
	seg.last = step.seq
	if step.seq <= q.earlier {
		return
	}
	if q.depth == 0 && seg.waiting == 0 {
		q.headAt = step.at
	}
	seg.waiting++
	seg.bytes += int64(step.end - step.start)
}

// cutTail cuts off what a crash left half-written, and keeps a copy.
func (q *queue) cutTail(seg *segment, data []byte, step found) {
	seg.torn = true
	q.saveDamage(seg, data, step, nil)
	f, err := q.disk.open(seg.path, true)
	if err == nil {
		err = errors.Join(f.Truncate(int64(step.start)), f.Close())
	}
	if err == nil {
		seg.size = int64(step.start)
	}
	// Otherwise the sender comes upon it again and reports it a second time.
}

// readBlock is what a disk cannot read as a whole when one byte of it is bad.
const readBlock = 4096

// readWhole fills buf from off. Where the disk refuses, zeros stand for the
// blocks that it cannot read, and the error says why.
func readWhole(f file, buf []byte, off int64) error {
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
