package recordlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/paddock-dev/audit/internal/disk"
)

// damagedDir is the folder for bytes and segments that are kept because of damage.
const damagedDir = "damaged"

// Options of Open. Functions may be nil.
type Options struct {
	// SegmentBytes is the size at which a new segment is begun. Next holds one segment
	// in memory, and a segment is removed when all of its records are acknowledged.
	SegmentBytes int64
	// Full returns an error when the log must not take another record now. It is given the
	// Stats with the bytes of that record, and must not call the log.
	Full func(Stats) error
	// Wait makes Append wait while the log is full, instead of failing.
	Wait bool
	// OnSync is called after each fsync of a segment.
	OnSync func(took time.Duration, err error)
	// OnDamage is called by Open, Next and Acknowledge, for bytes in a segment that are not a
	// record and for files that only look like segments, which are moved to damaged. savedAs
	// is the file with a copy of the bytes, or the file after its move. It is "" when the copy
	// could not be written; then the whole segment is kept in damaged. err says more, and may
	// be nil. OnDamage must not call the log.
	OnDamage func(segment string, bytes Step, savedAs string, err error)
	// Disk is that of the operating system when nil.
	Disk disk.Disk
}

// Stats counts the records that wait in a log.
type Stats struct {
	// Depth is the number of records that are not acknowledged, and Bytes what they
	// take. In an open log, Bytes includes records that are not yet fsynced.
	Depth, Bytes int64
	// Oldest is when the oldest of them was appended; zero when there is none.
	Oldest time.Time
}

// Age is how long the oldest record has waited.
func (s Stats) Age() time.Duration {
	if s.Oldest.IsZero() {
		return 0
	}
	return max(time.Since(s.Oldest), 0)
}

// Log is an open log. Its methods are safe for concurrent use, except where they say
// otherwise.
type Log struct {
	dir      string
	opts     Options
	lock     *os.File   // the directory
	locked   disk.Place // of it
	progress *progress
	earlier  uint64 // the last sequence number that an earlier process acknowledged

	reader reader // of Next

	mu       sync.Mutex
	work     sync.Cond  // wakes the committer
	news     sync.Cond  // wakes Append, Next and Close after a change
	seq      uint64     // the last sequence number that was given out
	pending  *batch     // what the next fsync makes durable; nil for nothing
	spares   [][]byte   // buffers for batches: while one is written, another one fills
	segments []*segment // with records that wait, oldest first
	window   []*Record  // read and not acknowledged, oldest first
	taken    uint64     // the last sequence number that was put into window, or earlier; only take changes it
	stats    Stats      // of segments and pending
	synced   uint64     // the last sequence number that this process has synced; 0 for none
	sealed   bool
	flushed  bool // the committer has ended
}

// Open opens the log in dir, which it makes when it is missing. It reads everything that
// waits there once, to count it. dir must lie on a local file system. A second Log on it
// is an error.
func Open(dir string, opts Options) (*Log, error) {
	if opts.Disk == nil {
		opts.Disk = disk.OS
	}
	if opts.Full == nil {
		opts.Full = func(Stats) error { return nil }
	}
	if opts.OnSync == nil {
		opts.OnSync = func(time.Duration, error) {}
	}
	if opts.OnDamage == nil {
		opts.OnDamage = func(string, Step, string, error) {}
	}
	l := &Log{dir: dir, opts: opts}
	l.work.L, l.news.L = &l.mu, &l.mu
	err := disk.MakeDir(opts.Disk, filepath.Join(dir, damagedDir))
	if err != nil {
		return nil, err
	}
	// An earlier process may have ended before the name of dir was durable. The sync may fail,
	// as where the parent is not the caller's: most directories were made by others, who have
	// synced them.
	_ = opts.Disk.SyncDir(filepath.Dir(dir))
	if l.lock, err = disk.LockDir(dir); err != nil {
		return nil, err
	}
	if l.locked, err = disk.PlaceOf(l.lock); err != nil {
		return nil, errors.Join(err, l.lock.Close())
	}
	if l.progress, err = openProgress(opts.Disk, dir); err != nil {
		return nil, errors.Join(err, l.lock.Close())
	}
	if err := l.recover(); err != nil {
		return nil, errors.Join(err, l.release())
	}
	go l.commitAll()
	return l, nil
}

func (l *Log) release() error { return errors.Join(l.progress.file.Close(), l.lock.Close()) }

// Stats counts the records that wait.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// SaveProgress notes on the disk which records are acknowledged, and which are synced. After
// a crash, records that were acknowledged since the last call are read again. Only one
// goroutine may call it at a time.
func (l *Log) SaveProgress() error {
	l.mu.Lock()
	upTo := l.taken
	if len(l.window) > 0 {
		upTo = l.window[0].Seq - 1
	}
	synced := l.synced
	l.mu.Unlock()
	if err := l.progress.save(upTo, synced); err != nil {
		return fmt.Errorf("noting the progress, without which events may be delivered again: %w", err)
	}
	return nil
}

// Retry lets every Append that waits ask Options.Full again.
func (l *Log) Retry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.news.Broadcast()
}

// Seal makes Append fail with ErrSealed from now on. Next returns the records that are left,
// and then nil. Sealing twice is harmless.
func (l *Log) Seal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealed = true
	l.work.Signal()
	l.news.Broadcast()
}

// Close seals the log, waits for a write that is under way, and gives the directory back.
// Records that are not acknowledged stay there for the next Open. Next, Acknowledge and
// SaveProgress must have ended.
func (l *Log) Close() error {
	l.Seal()
	l.mu.Lock()
	for !l.flushed {
		l.news.Wait()
	}
	l.mu.Unlock()
	l.reader.close()
	return errors.Join(l.SaveProgress(), l.release())
}

// awaitNews waits for news until ctx ends. l.mu is held.
func (l *Log) awaitNews(ctx context.Context) {
	stop := context.AfterFunc(ctx, l.Retry)
	defer stop()
	l.news.Wait()
}
