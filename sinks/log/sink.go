package log

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// sinkName stands in errors and metrics.
const sinkName = "log"

// Options are what all constructors take. The zero value is valid.
type Options struct {
	// Component, when not empty, becomes the label paddock.dev/component of every
	// event. It must be a label value.
	Component string
	// Logger is the value of the key logger in every line; "audit" when empty.
	Logger string
}

// Sink writes one JSON line an event. Make one with New, NewFile, NewWriter,
// Stdout or Stderr; it is safe for concurrent use.
//
// Lines are written one at a time. Where the output can block (a pipe, a
// terminal, a writer or core of the caller's, fsync) the line is written on a
// goroutine of its own, at most one a sink, so that Write returns when its
// context ends: with ClassTimeout, for the line may still be written. A regular
// file without fsync, and any output when the context can never end, is written
// on the caller's goroutine.
type Sink struct {
	component string
	logger    string
	name      string
	level     auditing.Level

	// send is the transport: a method value that every Write would allocate.
	send auditing.Transport
	// finish flushes what the sink holds and closes what it opened. It runs in
	// turn, once.
	finish func() error
	// abort, if any, makes a write that hangs return.
	abort func()

	turn      chan struct{} // holds one token while a line is written
	closing   chan struct{}
	closeOnce sync.Once
	finished  bool // guarded by turn
}

func newSink(name string, opts Options) *Sink {
	if opts.Logger == "" {
		opts.Logger = defaultLogger
	}
	return &Sink{
		component: opts.Component,
		logger:    opts.Logger,
		name:      name,
		level:     auditing.LevelAccepted,
		finish:    func() error { return nil },
		turn:      make(chan struct{}, 1),
		closing:   make(chan struct{}),
	}
}

var errClosed = errors.New("the log is closed")

// Write writes ae as one line. Its errors unwrap to the cause: ENOSPC of a full
// disk, io.ErrShortWrite of a line that was cut off. A line that was cut off is
// ended before the next one, so that it takes no other event with it.
func (s *Sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return auditing.Deliver(ctx, auditing.Target{Sink: sinkName, Component: s.component}, ae, s.send)
}

// Level returns LevelDurable for a file with fsync, and LevelAccepted otherwise.
func (s *Sink) Level() auditing.Level { return s.level }

// ReadsOnly returns true.
func (s *Sink) ReadsOnly() bool { return true }

// String returns what the sink writes to: "log(stderr)".
func (s *Sink) String() string { return sinkName + "(" + s.name + ")" }

// Close refuses later writes, waits for the one under way, and then syncs and
// closes the file that NewFile opened, or syncs the core given to New. It never
// closes a core, a writer or a standard stream. When ctx ends first, its error
// says that the outcome of the write under way is unknown; Close can then be
// called again.
func (s *Sink) Close(ctx context.Context) error {
	s.closeOnce.Do(func() { close(s.closing) })
	if err := s.closeInTurn(ctx); err != nil {
		return fmt.Errorf("closing %s: %w", s, err)
	}
	return nil
}

func (s *Sink) closeInTurn(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	default:
		select {
		case s.turn <- struct{}{}:
		case <-ctx.Done():
			if s.abort != nil {
				s.abort()
			}
			return fmt.Errorf("a write is still under way, and its outcome unknown: %w", ctx.Err())
		}
	}
	return s.detached(ctx, "it goes on in the background", func() error {
		if s.finished {
			return nil
		}
		s.finished = true
		return s.finish()
	})
}

// takeTurn waits until this caller alone may write. Whoever takes the turn gives
// it back with s.giveBack.
func (s *Sink) takeTurn(ctx context.Context) error {
	select {
	case <-s.closing:
		return auditing.WithClass(auditing.ClassClosed, errClosed)
	default:
	}
	select {
	case s.turn <- struct{}{}: // most are alone, and this is quicker for them
	default:
		select {
		case s.turn <- struct{}{}:
		case <-s.closing:
			return auditing.WithClass(auditing.ClassClosed, errClosed)
		case <-ctx.Done():
			return fmt.Errorf("not written: %s is busy with an earlier line: %w", s.name, ctx.Err())
		}
	}
	select {
	case <-s.closing: // while this one waited
		s.giveBack()
		return auditing.WithClass(auditing.ClassClosed, errClosed)
	default:
		return nil
	}
}

func (s *Sink) giveBack() { <-s.turn }

// answers are channels of detached for one error. They are used again, but for
// those whose error came too late to be waited for.
var answers = sync.Pool{New: func() any { return make(chan error, 1) }}

// detached runs job, which has the turn, on a goroutine that gives the turn back,
// and waits for it until ctx ends.
func (s *Sink) detached(ctx context.Context, late string, job func() error) error {
	done, _ := answers.Get().(chan error)
	go func() {
		defer s.giveBack()
		done <- guarded(job)
	}()
	select {
	case err := <-done:
		answers.Put(done)
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		answers.Put(done)
		return err
	default:
		return fmt.Errorf("%s blocks, %s: %w", s.name, late, ctx.Err())
	}
}

// guarded turns a panic of a caller's writer or core into an error: on a
// goroutine of this package's it would end the program.
func guarded(job func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = auditing.Permanent(fmt.Errorf("panic: %v", r))
		}
	}()
	return job()
}
