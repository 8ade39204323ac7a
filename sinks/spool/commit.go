package spool

import (
	"fmt"
	"path/filepath"
	"runtime"
	"time"
)

const segmentSuffix = ".seg"

// segment is a file of records. Fields that change are guarded by queue.mu.
type segment struct {
	path  string
	first uint64 // no record in it has a lower sequence number

	last    uint64 // 0 when there is no record
	size    int64  // bytes that are fsynced
	sealed  bool   // nothing more is written to it
	waiting int64  // events that are not delivered
	bytes   int64  // of their records

	torn     bool // its end was, before New
	read     bool // the sender is past its end
	underWay int  // events of it in the window
	// suspect says that it holds what could neither be read nor be copied, so that
	// the file is kept.
	suspect bool
	unread  bool // the disk refused to read some of it
}

// activeSegment is the one that is written to. New begins with none: a file that a
// crash may have torn is never appended to.
type activeSegment struct {
	file      file // nil for none
	segment   *segment
	published bool  // among queue.segments
	allocated int64 // bytes that the file has, zeros behind the records included
}

// growth is by how many bytes of zeros the active segment is made longer at
// once. An fsync of bytes that the file has already need not write its length
// and its place on the disk as well, which makes it up to twice as fast.
const growth = 256 << 10

var zeros [growth]byte

// commitAll is the committer: it makes batches durable, one after the other,
// until the Sink is closed. While one is being synced, the next one fills.
func (q *queue) commitAll() {
	for {
		b := q.takeBatch()
		if b == nil {
			break
		}
		b.err = q.commit(b)
		close(b.done)
	}
	q.seal()
	q.mu.Lock()
	q.flushed = true
	q.mu.Unlock()
	signal(q.wakeSender)
}

// takeBatch waits for a batch; nil when the Sink is closed and none is left.
func (q *queue) takeBatch() *batch {
	for {
		q.gather()
		q.mu.Lock()
		b, closed := q.pending, q.closed
		q.pending = nil
		if b != nil {
			q.moreRoom() // in the next one
		}
		q.mu.Unlock()
		if b != nil || closed {
			return b
		}
		<-q.wakeCommitter
	}
}

// gather lets the writers that are about to join the pending batch do so: those
// whom the last fsync has woken. It waits for nobody who has something else to do:
// half of the writers at work while the disk is busy with the other half was
// measured to be faster than all of them in one batch.
func (q *queue) gather() {
	for had := int64(0); ; {
		q.mu.Lock()
		has := int64(0)
		if q.pending != nil {
			has = q.pending.count
		}
		q.mu.Unlock()
		if has == had {
			return
		}
		had = has
		runtime.Gosched()
	}
}

func (q *queue) commit(b *batch) error {
	err := q.writeBatch(b)
	q.mu.Lock()
	defer q.mu.Unlock()
	size := int64(len(b.buf))
	q.spares, b.buf = append(q.spares, b.buf[:0]), nil
	if err != nil {
		q.bytes -= size
		q.moreRoom()
		return ofDisk(err)
	}
	a := &q.active
	if !a.published {
		a.published = true
		q.segments = append(q.segments, a.segment)
	}
	a.segment.size += size
	a.segment.last = b.last
	a.segment.waiting += b.count
	a.segment.bytes += size
	if q.depth == 0 {
		q.headAt = b.at
	}
	q.depth += b.count
	signal(q.wakeSender)
	return nil
}

// writeBatch appends b to the active segment and syncs it. After an error
// nothing of b counts as stored.
func (q *queue) writeBatch(b *batch) error {
	a := &q.active
	if a.file != nil && a.segment.size > 0 && a.segment.size+int64(len(b.buf)) > q.opts.SegmentBytes {
		q.seal()
	}
	if a.file == nil {
		if err := q.begin(b.first); err != nil {
			return fmt.Errorf("beginning a segment: %w", err)
		}
	}
	size := a.segment.size
	if err := q.extend(b.buf); err != nil {
		return err
	}
	start := time.Now()
	err := a.file.sync()
	q.metrics.fsync.Observe(time.Since(start).Seconds())
	if err == nil {
		return nil
	}
	// The kernel may have dropped the pages that it could not write and marked
	// them clean, and the next fsync of this file would then succeed without them.
	// So its writers hear of it, and nothing is ever written to this file again.
	q.metrics.fsyncFailures.Inc()
	path := a.segment.path
	_ = a.file.Truncate(size) // what stays is taken for a torn tail, or delivered although it was not confirmed
	q.seal()
	return fmt.Errorf("syncing %s: %w", path, err)
}

// extend writes b behind the records of the active segment, and makes room
// behind it for those to come.
func (q *queue) extend(b []byte) error {
	a := &q.active
	path, size := a.segment.path, a.segment.size
	if err := writeAt(a.file, b, size); err != nil {
		// Where the half-written rest cannot be cut off, nothing may come behind it.
		a.allocated = size
		if a.file.Truncate(size) != nil {
			q.seal()
		}
		return fmt.Errorf("writing %s: %w", path, err)
	}
	end := size + int64(len(b))
	if end <= a.allocated {
		return nil
	}
	a.allocated = end
	if room := min(growth, q.opts.SegmentBytes-end); room > 0 && writeAt(a.file, zeros[:room], end) == nil {
		a.allocated += room // without it, all goes on as well, only slower
	}
	return nil
}

// begin makes a new active segment, whose name is durable when it returns nil.
func (q *queue) begin(first uint64) error {
	path := q.path(fmt.Sprintf("%020d%s", first, segmentSuffix))
	f, err := q.disk.create(path)
	if err != nil {
		return err
	}
	if err := q.disk.syncDir(filepath.Dir(path)); err != nil {
		_ = f.Close()
		_ = q.disk.remove(path)
		return err
	}
	q.active = activeSegment{file: f, segment: &segment{path: path, first: first}}
	return nil
}

// seal ends the active segment, if there is one.
func (q *queue) seal() {
	a := q.active
	q.active = activeSegment{}
	if a.file == nil {
		return
	}
	_ = a.file.Truncate(a.segment.size) // the zeros; they do no harm where that fails
	_ = a.file.Close()                  // all that counts is synced
	if !a.published {
		_ = q.disk.remove(a.segment.path) // nothing in it was confirmed
		return
	}
	q.mu.Lock()
	a.segment.sealed = true
	q.mu.Unlock()
	signal(q.wakeSender)
}
