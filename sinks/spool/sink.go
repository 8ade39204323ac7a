package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// The folders in a spool's directory.
const (
	deadDir    = "dead"
	requeueDir = "requeue"
	damagedDir = "damaged"
)

// Sink stores events in a directory and hands them on. Make one with New, close
// it at the end; it is safe for concurrent use.
type Sink struct {
	opts     Options
	dir      string
	next     auditing.Sink
	disk     disk
	metrics  *metrics
	progress *progress
	locked   *os.File
	accept   auditing.Transport // a method value that every Write would allocate

	earlier uint64 // what is delivered up to here was so in an earlier life

	active activeSegment // the committer's alone
	reader reader        // the sender's alone
	slots  chan struct{} // one for each event in window

	mu       sync.Mutex
	pending  *batch     // what the next fsync makes durable; nil for nothing
	spares   [][]byte   // buffers for batches: there are two, one being filled and one being written
	seq      uint64     // the last that was given out
	segments []*segment // with events that wait, oldest first
	window   []*entry   // read, and not yet forgotten, oldest first
	depth    int64      // events that wait
	bytes    int64      // what they and the pending ones take
	headAt   time.Time  // when the oldest was stored
	dead     letterBox
	room     chan struct{} // closed when there is more room; nil when nobody waits for it
	closed   bool
	flushed  bool // the committer has ended

	wakeCommitter, wakeSender chan struct{} // with room for one signal
	closing                   chan struct{} // closed by Close
	sending                   context.Context
	stopSending               context.CancelFunc
	ended                     chan struct{} // closed when nothing of the Sink runs any more
	endErr                    error         // set before ended is closed
}

// New opens the spool in dir, which it makes when it is missing, and starts to
// deliver to next what an earlier life left there. dir must lie on a local file
// system and be used by no other Sink; that is checked with a lock. New reads
// all that waits once, to count and to check it.
func New(dir string, next auditing.Sink, opts Options) (*Sink, error) {
	if dir == "" || next == nil {
		return nil, errors.New("spool: the directory is empty or the next sink is nil: give both")
	}
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("spool: invalid options: %w", err)
	}
	s := &Sink{
		opts: opts, dir: dir, next: next, disk: opts.disk,
		slots:         make(chan struct{}, opts.Parallel),
		wakeCommitter: make(chan struct{}, 1),
		wakeSender:    make(chan struct{}, 1),
		closing:       make(chan struct{}),
		ended:         make(chan struct{}),
	}
	s.accept = s.store
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("spool: opening %s: %w", dir, err)
	}
	s.sending, s.stopSending = context.WithCancel(auditing.Nested(context.Background()))
	go s.run()
	return s, nil
}

// open does what can fail, and undoes it then.
func (s *Sink) open() (err error) {
	for _, path := range []string{s.dir, s.path(deadDir), s.path(requeueDir), s.path(damagedDir)} {
		if err := os.MkdirAll(path, dirMode); err != nil {
			return err
		}
	}
	if s.locked, err = lock(s.dir); err != nil {
		return err
	}
	if s.progress, err = openProgress(s.disk, s.dir); err != nil {
		return errors.Join(err, s.locked.Close())
	}
	s.metrics, err = newMetrics(s)
	if err == nil {
		err = s.recover()
	}
	if err != nil {
		return errors.Join(err, s.release())
	}
	s.countLetters()
	return nil
}

// release gives back what open took.
func (s *Sink) release() error {
	s.metrics.unregister()
	return errors.Join(s.progress.file.Close(), s.locked.Close())
}

func (s *Sink) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// Write stores ae on the disk and returns nil when it is fsynced. What happens
// to it at the next sink later is told to Options.OnFailure and the metrics.
//
// When ctx ends first, whether the event is stored is unknown; writing it again
// is harmless. The class is full at a bound of the Options and when the disk has
// no room; the errors of the disk, as ENOSPC, EIO or EROFS, are in the chain.
func (s *Sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return auditing.Deliver(ctx, auditing.Target{Sink: sinkName, Component: s.opts.Component}, ae, s.accept)
}

// Level returns LevelDurable.
func (s *Sink) Level() auditing.Level { return auditing.LevelDurable }

// ReadsOnly returns true: the event is encoded.
func (s *Sink) ReadsOnly() bool { return true }

// String prints the chain: "spool(loki)".
func (s *Sink) String() string { return sinkName + "(" + auditing.Chain(s.next) + ")" }

// run is the life of the Sink.
func (s *Sink) run() {
	var others sync.WaitGroup
	others.Go(s.commitAll)
	upkeep, stopUpkeep := context.WithCancel(s.sending)
	others.Go(func() { s.keepUp(upkeep) })
	s.sendAll(s.sending)
	stopUpkeep()
	others.Wait()
	s.stopSending()
	s.endErr = errors.Join(s.progress.sync(), s.release())
	close(s.ended)
}

// Close refuses later writes, waits until all that is stored is delivered, and
// then closes the next sink. When ctx ends first, the rest stays in the directory
// for the next life, and the error says how much that is. The directory can then
// be opened again, unless the error says that a write is still under way. Close
// may be called again.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	signal(s.wakeCommitter)
	signal(s.wakeSender)
	var err error
	select {
	case <-s.ended:
		err = s.endErr
	case <-ctx.Done():
		s.stopSending()
		err = s.unfinished(ctx)
	}
	return errors.Join(err, auditing.Close(ctx, s.next))
}

// windUp is how long Close waits, beyond its context, for what it has cancelled.
const windUp = 200 * time.Millisecond

// unfinished says what a Close left behind whose context ended.
func (s *Sink) unfinished(ctx context.Context) error {
	timer := time.NewTimer(windUp)
	defer timer.Stop()
	busy := ""
	select {
	case <-s.ended:
	case <-timer.C:
		busy = ", and a write is still under way, so that the directory stays locked until it ends"
	}
	s.mu.Lock()
	depth := s.depth
	s.mu.Unlock()
	if depth == 0 && busy == "" {
		return s.endErr
	}
	return fmt.Errorf("spool: closed with %d events left in %s for the next life%s: %w", depth, s.dir, busy, ctx.Err())
}

// signal wakes the one goroutine that waits on c, now or at its next look.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
