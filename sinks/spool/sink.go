package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/hooks"
	"github.com/paddock-dev/audit/internal/recordlog"
)

const sinkName = "spool"

// acceptedBatch is how many events one Store takes well. They share an fsync.
const acceptedBatch = 1024

// Sink stores events in a directory and hands them on. Make one with New, and close it at
// the end. It is safe for concurrent use.
//
// Write returns nil when the event is fsynced (auditing.LevelDurable). What happens to it
// at the next sink later is told to Options.OnFailure and the metrics. When its context
// ends first, whether the event is stored is unknown; writing it again is harmless. The
// class is full at a bound of the Options and when the disk has no room. The errors of the
// disk, as ENOSPC, EIO or EROFS, are in the chain.
//
// Check asks the next sink.
//
// Close refuses later writes, waits until everything that is stored is delivered, and then
// closes the next sink. When its context ends first, the rest stays in the directory for
// the next process, and the error says how much that is. The directory can then be opened
// again, unless the error says that a write is still under way.
type Sink struct{ driver.Sink }

// stage is the driver of a Sink: events come in through Store, and the senders hand them
// on from the log.
type stage struct {
	opts    Options
	dir     string
	next    driver.Driver
	info    driver.Info
	log     *recordlog.Log
	dead    deadLetters
	stuck   map[string]stuckLetter // by ID; only the upkeep uses it
	metrics *metrics

	reading    sync.Mutex    // held by the sender that reads the log
	mostEvents int           // in one request to the next sink
	mostBytes  int64         // of its records, when it has several
	alone      chan struct{} // holds one element for each event that is set aside
	retrying   chan struct{} // holds one element for each of those events that is being sent
	aside      sync.WaitGroup

	sending     context.Context
	stopSending context.CancelFunc
	ended       chan struct{} // closed when nothing of the stage runs any more
	endErr      error         // set before ended is closed
}

// New opens the spool in dir, which it makes when it is missing, and starts to deliver to
// next what an earlier process left there. dir must lie on a local file system. A second
// Sink on it is an error, in any process. New reads everything that waits once, to count
// it.
func New(dir string, next auditing.Sink, opts Options) (*Sink, error) {
	if dir == "" || next == nil {
		return nil, errors.New("spool: the directory is empty or the next sink is nil: give both")
	}
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	d := driver.Of(next)
	behind := d.Info()
	component, err := driver.Component(opts.Component, d)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	most := behind.Batch
	if most <= 0 {
		most = unboundedBatch
	}
	s := &stage{
		opts: opts, dir: dir, next: d, mostEvents: most,
		info: driver.Info{
			Name: sinkName, Chain: sinkName + "(" + behind.Chain + ")", Component: component,
			Level: auditing.LevelDurable, Namespaced: behind.Namespaced, Batch: acceptedBatch, Repeats: behind.Repeats,
		},
		mostBytes: int64(max(maxRequestBytes/opts.Parallel, minRequestBytes)),
		alone:     make(chan struct{}, min(most, maxAlone)),
		retrying:  make(chan struct{}, maxRetrying),
		ended:     make(chan struct{}),
		stuck:     map[string]stuckLetter{},
	}
	s.metrics = newMetrics(s)
	s.sending, s.stopSending = context.WithCancel(context.Background())
	if err := s.open(); err != nil {
		s.stopSending()
		return nil, fmt.Errorf("spool: opening %s: %w", dir, err)
	}
	return &Sink{driver.New(s)}, nil
}

// open opens the log and starts to deliver from it.
func (s *stage) open() (err error) {
	for _, folder := range []string{deadDir, requeueDir} {
		if err := disk.MakeDir(s.opts.disk, filepath.Join(s.dir, folder)); err != nil {
			return err
		}
	}
	s.log, err = recordlog.Open(s.dir, recordlog.Options{
		SegmentBytes: s.opts.SegmentBytes, Full: s.full, Wait: s.opts.WhenFull == BlockWhenFull,
		OnSync: s.metrics.synced, OnDamage: s.damaged, Disk: s.opts.disk,
	})
	if err != nil {
		return err
	}
	unregister, err := s.metrics.register(s.opts.Registerer, cmp.Or(s.opts.Name, s.next.Info().Chain))
	if err != nil {
		return errors.Join(err, s.log.Close())
	}
	s.countDead()
	known := driver.KnownLacks(s.tellDead)
	go s.run(func() {
		known()
		unregister()
	})
	return nil
}

// run delivers events until the log is sealed and empty, or Close gives up.
func (s *stage) run(unregister func()) {
	upkeep, stopUpkeep := context.WithCancel(s.sending)
	var keeping sync.WaitGroup
	keeping.Go(func() { s.keepUp(upkeep) })
	s.sendAll(s.sending)
	stopUpkeep()
	keeping.Wait()
	s.stopSending()
	s.endErr = s.log.Close()
	unregister()
	close(s.ended)
}

// Info is built by New.
func (s *stage) Info() driver.Info { return s.info }

// Check asks the next sink.
func (s *stage) Check(ctx context.Context) error { return s.next.Check(ctx) }

// buffers are for the JSON of events. A larger buffer than maxPooled is not kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const maxPooled = 64 << 10

// Store returns when the events are fsynced.
func (s *stage) Store(ctx context.Context, events []*driver.Event) []error {
	buffer := buffers.Get().(*[]byte) //nolint:forcetypeassert // it holds nothing else
	all := (*buffer)[:0]
	payloads := make([][]byte, len(events))
	for i, e := range events {
		start := len(all)
		all = e.AppendJSON(all)
		payloads[i] = all[start:]
	}
	if cap(all) <= maxPooled {
		*buffer = all
		defer buffers.Put(buffer)
	}
	errs := s.log.Append(ctx, payloads...)
	for i, err := range errs {
		errs[i] = classified(err)
	}
	if errors.Join(errs...) == nil {
		return nil
	}
	return errs
}

// classified gives an error of Append its class.
func classified(err error) error {
	switch {
	case errors.Is(err, recordlog.ErrSealed):
		return driver.WithClass(auditing.ClassClosed, errors.New("the spool is closed"))
	case errors.Is(err, recordlog.ErrTooLarge):
		return driver.Permanent(fmt.Errorf("%w: shorten the event's metadata", err))
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return driver.WithClass(auditing.ClassFull, err)
	}
	return err
}

var (
	errTooOld  = errors.New("the oldest event waits longer than MaxAge: see why the next sink does not take it")
	errTooMany = errors.New("the waiting events and the dead letters would exceed MaxBytes: " +
		"see why the next sink does not take them, and requeue or remove the dead letters")
)

// full returns an error when waiting exceeds a bound of the Options. It names the bound.
func (s *stage) full(waiting recordlog.Stats) error {
	switch {
	case waiting.Bytes+s.dead.bytes.Load() > s.opts.MaxBytes:
		return driver.WithClass(auditing.ClassFull, errTooMany)
	case s.opts.MaxAge > 0 && waiting.Age() > s.opts.MaxAge:
		return driver.WithClass(auditing.ClassFull, errTooOld)
	}
	return nil
}

// damaged counts and reports damage that the log has found.
func (s *stage) damaged(segment string, bytes recordlog.Step, savedAs string, err error) {
	if bytes.Torn {
		s.metrics.torn.Inc()
	} else {
		s.metrics.damaged.Inc()
	}
	if s.opts.OnDamage == nil {
		return
	}
	d := Damage{
		Segment: segment, Offset: int64(bytes.Start), Bytes: bytes.Size(), Torn: bytes.Torn, SavedAs: savedAs, Err: err,
	}
	_ = hooks.Call("Options.OnDamage of the spool", func() { s.opts.OnDamage(d) }) // it is logged
}

// report tells OnFailure of err. e is the event concerned, and nil when there is none.
func (s *stage) report(e *driver.Event, err error) {
	if s.opts.OnFailure == nil {
		return
	}
	var ae *v1alpha1.AuditEvent
	if e != nil {
		ae = e.Object()
	}
	_ = hooks.Call("Options.OnFailure of the spool", func() { s.opts.OnFailure(s.sending, ae, err) }) // it is logged
}

// trouble tells OnFailure of an error that concerns no single event. It does nothing when err
// is nil.
func (s *stage) trouble(err error) {
	if err != nil {
		s.report(nil, fmt.Errorf("spool: %w", err))
	}
}

// drainPoll is how often Drain looks.
const drainPoll = 5 * time.Millisecond

// Drain waits until everything that is stored is delivered, or a dead letter.
func (s *stage) Drain(ctx context.Context) error {
	for open := true; open && s.log.Stats().Depth > 0 && sleep(ctx, drainPoll); {
		select {
		case <-s.ended:
			open = false
		default:
		}
	}
	return driver.Drain(ctx, s.next)
}

// windUp is how long Close waits, beyond its context, for what it has cancelled.
const windUp = 200 * time.Millisecond

// Close drains the log, and then closes the next sink: see Sink.
func (s *stage) Close(ctx context.Context) error {
	s.log.Seal()
	select {
	case <-s.ended:
		return errors.Join(s.endErr, s.next.Close(ctx))
	case <-ctx.Done():
	}
	s.stopSending()
	busy := ""
	select {
	case <-s.ended:
	case <-time.After(windUp):
		busy = ", and a write is still under way, so that the directory stays locked until it ends"
	}
	var left error
	if depth := s.log.Stats().Depth; depth > 0 || busy != "" {
		left = fmt.Errorf("spool: closed with %d events left in %s for the next process%s: %w", depth, s.dir, busy, ctx.Err())
	} else {
		left = s.endErr
	}
	return errors.Join(left, s.next.Close(ctx))
}
