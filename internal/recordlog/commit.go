package recordlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/paddock-dev/audit/internal/disk"
)

// segment is a file of records. Fields that change are guarded by Log.mu, except for
// those of the committer.
type segment struct {
	path     string
	size     int64 // bytes that are fsynced; only the committer changes it
	sealed   bool  // nothing more is written to it
	waiting  int64 // records that are not acknowledged
	bytes    int64 // of those
	underWay int   // records in Log.window
	read     bool  // Next is past its end
	// keep says that bytes in it could not be copied, and unread that the disk refused to
	// read some: the file is moved to damagedDir instead of removed.
	keep, unread bool
	told         []int // offsets of damage that Open has reported; only the reader uses it

	file      disk.File // only the committer uses it
	allocated int64     // length of file, with the zeros behind the records
}

// growth is how many zeros are appended to a segment at once. An fsync is up to twice as
// fast when the file had its length and its blocks before, because then it need not write
// them.
const growth = 256 << 10

var zeros [growth]byte

// commitAll is the committer. It makes one batch durable after the other until the log is
// sealed. While a batch is synced, the next one fills.
func (l *Log) commitAll() {
	// The segment that is written to. There is none at first: a file that a crash may have
	// torn is never appended to.
	var active *segment
	for b := l.takeBatch(); b != nil; b = l.takeBatch() {
		active, b.err = l.commit(active, b)
		close(b.done)
	}
	l.sealSegment(active)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushed = true
	l.news.Broadcast()
}

// takeBatch waits for a batch. It returns nil when the log is sealed and none is left.
//
// Writers that the last fsync has woken join the batch, and it does not wait for others. So
// one half of the writers fills a batch while that of the other half is synced. This was
// measured to be faster than one batch of all.
func (l *Log) takeBatch() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.pending == nil && !l.sealed {
		l.work.Wait()
	}
	for had := int64(0); l.pending != nil && l.pending.count > had; {
		had = l.pending.count
		l.mu.Unlock()
		runtime.Gosched()
		l.mu.Lock()
	}
	b := l.pending
	l.pending = nil
	l.news.Broadcast() // there is room in the next one
	return b
}

// commit appends b to the active segment, or to a new one, which it returns.
func (l *Log) commit(active *segment, b *batch) (*segment, error) {
	size := int64(len(b.buf))
	if active != nil && active.size+size > l.opts.SegmentBytes {
		l.sealSegment(active)
		active = nil
	}
	var err error
	if active == nil {
		if active, err = l.beginSegment(b.first); err != nil {
			err = fmt.Errorf("beginning a segment: %w", err)
		}
	}
	if err == nil {
		err = l.write(active, b.buf)
	}
	if err != nil && active != nil {
		l.sealSegment(active)
		active = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spares, b.buf = append(l.spares, b.buf[:0]), nil
	l.news.Broadcast()
	if err != nil {
		l.stats.Bytes -= size
		return nil, err
	}
	if active.size == 0 {
		l.segments = append(l.segments, active)
	}
	active.size += size
	active.waiting += b.count
	active.bytes += size
	l.stats.add(Stats{Depth: b.count, Oldest: b.at})
	l.synced = b.first + uint64(b.count) - 1
	return active, nil
}

// errReplaced: another directory, or none, stands at the path of the locked one.
var errReplaced = errors.New("the directory was moved or replaced: open the log again")

// inPlace reports an error when the locked directory is no longer at its path.
func (l *Log) inPlace() error {
	var there disk.Place
	if err := there.Find(l.dir); err != nil {
		return err
	}
	if !there.Is(&l.locked) {
		return fmt.Errorf("%s: %w", l.dir, errReplaced)
	}
	return nil
}

// beginSegment makes a segment, whose name is durable when it returns no error.
func (l *Log) beginSegment(first uint64) (*segment, error) {
	if err := l.inPlace(); err != nil {
		return nil, err
	}
	path := filepath.Join(l.dir, segmentName(first))
	f, err := l.opts.Disk.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, disk.PrivateMode)
	if err != nil {
		return nil, err
	}
	seg := &segment{path: path, file: f}
	if err := l.opts.Disk.SyncDir(l.dir); err != nil {
		l.sealSegment(seg)
		return nil, err
	}
	return seg, nil
}

// write appends b to a segment and syncs it. After an error the segment must be sealed:
// the kernel may have dropped the pages that it could not write and marked them clean, and
// the next fsync of the file would then succeed without them.
func (l *Log) write(seg *segment, b []byte) error {
	end := seg.size + int64(len(b))
	if err := disk.WriteAt(seg.file, b, seg.size); err != nil {
		return fmt.Errorf("writing %s: %w", seg.path, err)
	}
	if end > seg.allocated {
		seg.allocated = end
		if room := min(growth, l.opts.SegmentBytes-end); room > 0 && disk.WriteAt(seg.file, zeros[:room], end) == nil {
			seg.allocated += room // without them the next fsync is slower, and no less safe
		}
	}
	start := time.Now()
	err := seg.file.Sync()
	l.opts.OnSync(time.Since(start), err)
	if err != nil {
		return fmt.Errorf("syncing %s: %w", seg.path, err)
	}
	if _, err := os.Lstat(seg.path); err != nil {
		return fmt.Errorf("the file that was written to was moved or removed: %w", err)
	}
	return nil
}

// sealSegment ends the writing of a segment; nil for none. It cuts off the bytes behind the
// records. Where that fails, zeros do no harm, and other bytes are taken for a torn end, or
// read as records although they were not confirmed.
func (l *Log) sealSegment(seg *segment) {
	if seg == nil {
		return
	}
	_ = seg.file.Truncate(seg.size)
	_ = seg.file.Close() // everything that counts is synced
	if seg.size == 0 {
		_ = l.opts.Disk.Remove(seg.path) // nothing in it was confirmed
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	seg.sealed = true
	l.news.Broadcast()
}
