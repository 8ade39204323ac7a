package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// The folders in a spool's directory.
const (
	deadDir    = "dead"
	requeueDir = "requeue"
	damagedDir = "damaged"
)

// Sink stores events in a directory and hands them on. Make one with New, close it
// at the end; it is safe for concurrent use.
//
// Write returns nil when the event is fsynced (auditing.LevelDurable). What happens
// to it at the next sink later is told to Options.OnFailure and the metrics. When
// its context ends first, whether the event is stored is unknown; writing it again
// is harmless. The class is full at a bound of the Options and when the disk has no
// room; the errors of the disk, as ENOSPC, EIO or EROFS, are in the chain.
//
// Check asks the next sink.
//
// Close refuses later writes, waits until all that is stored is delivered, and then
// closes the next sink. When its context ends first, the rest stays in the directory
// for the next process, and the error says how much that is. The directory can then
// be opened again, unless the error says that a write is still under way.
type Sink struct{ driver.Sink }

// queue is the driver of a Sink.
type queue struct {
	opts     Options
	dir      string
	next     driver.Driver
	info     driver.Info
	disk     disk
	metrics  *metrics
	progress *progress
	locked   *os.File

	earlier uint64 // what is delivered up to here was so before New

	active activeSegment // the committer's alone

	reading sync.Mutex // held by the sender that reads
	reader  reader     // of whoever holds reading

	// What follows until mu serves the senders and does not change.
	mostEvents int           // of one request to the next sink
	mostBytes  int64         // of its records, where it has several
	alone      chan struct{} // has one element for each event that is set aside
	retrying   chan struct{} // has one element for each of those that is under way
	aside      sync.WaitGroup

	mu       sync.Mutex
	pending  *batch     // what the next fsync makes durable; nil for nothing
	spares   [][]byte   // buffers for batches: there are two, one being filled and one being written
	seq      uint64     // the last that was given out
	segments []*segment // with events that wait, oldest first
	window   []*entry   // read, and not yet forgotten, oldest first
	taken    uint64     // the last sequence number that was put into window
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
	ended                     chan struct{} // closed when nothing of the queue runs any more
	endErr                    error         // set before ended is closed
}

// New opens the spool in dir, which it makes when it is missing, and starts to
// deliver to next what an earlier process left there. dir must lie on a local file
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
	q := &queue{
		opts: opts, dir: dir, next: driver.Of(next), disk: opts.disk,
		wakeCommitter: make(chan struct{}, 1),
		wakeSender:    make(chan struct{}, 1),
		closing:       make(chan struct{}),
		ended:         make(chan struct{}),
	}
	behind := q.next.Info()
	component, err := driver.Component(opts.Component, q.next)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	q.info = driver.Info{
		Name: sinkName, Chain: sinkName + "(" + behind.Chain + ")", Component: component,
		Level: auditing.LevelDurable, Namespaced: behind.Namespaced, Batch: acceptedBatch, Repeats: behind.Repeats,
	}
	q.setBounds(behind.Batch)
	if err := q.open(); err != nil {
		return nil, fmt.Errorf("spool: opening %s: %w", dir, err)
	}
	q.sending, q.stopSending = context.WithCancel(context.Background())
	go q.run()
	return &Sink{driver.New(q)}, nil
}

// open does what can fail, and undoes it then.
func (q *queue) open() (err error) {
	for _, path := range []string{q.dir, q.path(deadDir), q.path(requeueDir), q.path(damagedDir)} {
		if err := os.MkdirAll(path, dirMode); err != nil {
			return err
		}
	}
	if q.locked, err = lock(q.dir); err != nil {
		return err
	}
	if q.progress, err = openProgress(q.disk, q.dir); err != nil {
		return errors.Join(err, q.locked.Close())
	}
	q.metrics, err = newMetrics(q)
	if err == nil {
		err = q.recover()
	}
	if err != nil {
		return errors.Join(err, q.release())
	}
	q.countLetters()
	return nil
}

// release gives back what open took.
func (q *queue) release() error {
	q.metrics.unregister()
	return errors.Join(q.progress.file.Close(), q.locked.Close())
}

func (q *queue) path(elem ...string) string {
	return filepath.Join(append([]string{q.dir}, elem...)...)
}

// Info is built by New.
func (q *queue) Info() driver.Info { return q.info }

// Check asks the next sink.
func (q *queue) Check(ctx context.Context) error { return q.next.Check(ctx) }

// run delivers what is stored until the queue is closed.
func (q *queue) run() {
	var others sync.WaitGroup
	others.Go(q.commitAll)
	upkeep, stopUpkeep := context.WithCancel(q.sending)
	others.Go(func() { q.keepUp(upkeep) })
	q.sendAll(q.sending)
	stopUpkeep()
	others.Wait()
	q.stopSending()
	q.endErr = errors.Join(q.progress.sync(), q.release())
	close(q.ended)
}

// Close drains the queue, and then closes the next sink: see Sink.
func (q *queue) Close(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.closing)
	}
	q.mu.Unlock()
	signal(q.wakeCommitter)
	signal(q.wakeSender)
	var err error
	select {
	case <-q.ended:
		err = q.endErr
	case <-ctx.Done():
		q.stopSending()
		err = q.unfinished(ctx)
	}
	return errors.Join(err, q.next.Close(ctx))
}

// windUp is how long Close waits, beyond its context, for what it has cancelled.
const windUp = 200 * time.Millisecond

// unfinished says what a Close left behind whose context ended.
func (q *queue) unfinished(ctx context.Context) error {
	timer := time.NewTimer(windUp)
	defer timer.Stop()
	busy := ""
	select {
	case <-q.ended:
	case <-timer.C:
		busy = ", and a write is still under way, so that the directory stays locked until it ends"
	}
	q.mu.Lock()
	depth := q.depth
	q.mu.Unlock()
	if depth == 0 && busy == "" {
		return q.endErr
	}
	return fmt.Errorf("spool: closed with %d events left in %s for the next process%s: %w", depth, q.dir, busy, ctx.Err())
}

// signal wakes the one goroutine that waits on c, now or at its next look.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
