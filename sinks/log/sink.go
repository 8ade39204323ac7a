package log

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// sinkName stands in errors and metrics.
const sinkName = "log"

// defaultLogger is the value of the key logger where Options name none.
const defaultLogger = "audit"

// batch is how many events one Store is to be given.
const batch = 256

// Options are what all constructors take. The zero value is valid.
type Options struct {
	// Component, when not empty, becomes the label paddock.dev/component of every
	// event. It must be a label value.
	Component string
	// Logger is the value of the key logger in every line; "audit" when empty.
	Logger string
}

func (o Options) check() error {
	if _, err := driver.Component(o.Component); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}

func (o Options) logger() string {
	if o.Logger == "" {
		return defaultLogger
	}
	return o.Logger
}

// Sink writes one JSON line an event. Make one with New, NewFile, NewWriter,
// Stdout or Stderr; it is safe for concurrent use.
//
// There is one write at a time. Lines of NewFile, Stdout and Stderr that come meanwhile
// share the next one, up to 256 KiB, or up to 4 KiB for a pipe, a terminal or a device:
// one system call, and with Fsync one fsync. Each Write has the outcome of its own line.
// A writer or core of the caller's gets the line of each Write by itself.
//
// Where the output can block (a pipe, a terminal, a writer or core of the caller's,
// fsync) lines are written on a goroutine of their own, so that Write returns when its
// context ends: with ClassTimeout. Its error says that the line was not written, or,
// when its write has begun, that this is unknown. A regular file without fsync, and any
// output when the context can never end, is written on the goroutine of a caller.
//
// An error of Write unwraps to its cause: ENOSPC of a full disk, which is of ClassFull
// as EDQUOT is, io.ErrShortWrite of a line that was cut off. Such a line is ended before the
// next line is written, so that the next line stays whole.
//
// Level returns LevelDurable for a file with fsync, and LevelAccepted otherwise.
// String returns what the sink writes to: "log(stderr)".
//
// Close refuses later writes, waits for the one under way, and then syncs and
// closes the file that NewFile opened, or syncs the core given to New. It never
// closes a core, a writer or a standard stream. When ctx ends first, its error
// says that the outcome of the write under way is unknown; Close can then be
// called again.
type Sink struct {
	driver.Sink
	output *output
}

// Reopen makes a Sink of NewFile write to the file that stands at its path now. A program
// that rotates the file itself calls it after it has renamed the file, as logrotate's
// postrotate does; a trail of package config calls it on SIGHUP. Reopen is harmless when the
// file is the same, and does nothing for other outputs, a device and a pipe among them.
//
// It waits for the write under way until ctx ends. Its error says that no file could be
// opened, which every Write then tries again, or that the old file was removed and not
// renamed, so that lines are lost. After Close it is of ClassClosed.
func (s *Sink) Reopen(ctx context.Context) error {
	if s.output.reopen == nil {
		return nil
	}
	if _, err := s.output.inTurn(ctx, noEvents(s.output.reopen)); err != nil {
		return fmt.Errorf("reopening %s: %w", s.output.info.Chain, err)
	}
	return nil
}

// output has what the drivers of this package share: they run one job at a time, and a
// caller waits for its job no longer than its context lasts.
type output struct {
	driver.Base
	info driver.Info
	name string
	// mayBlock says that a job may never end.
	mayBlock bool
	// reopen, if any, opens the output again when it was moved.
	reopen func() error
	// finish, if any, flushes and closes the output. It runs in turn, once: nil afterwards.
	finish func() error
	// abort, if any, ends a job that hangs.
	abort func()

	turn      chan struct{} // holds one token while a job runs
	groups    gatherer      // of lines that wait for the turn
	closing   chan struct{}
	closeOnce sync.Once
}

func newOutput(name string, level auditing.Level, component string) output {
	return output{
		info: driver.Info{
			Name: sinkName, Chain: sinkName + "(" + name + ")", Component: component,
			Level: level, Batch: batch, Repeats: driver.RepeatsFolded,
		},
		name:    name,
		turn:    make(chan struct{}, 1),
		closing: make(chan struct{}),
	}
}

// job writes events while it has the turn. run returns how many of them are stored. When some
// are not, it also returns the error of the first of those.
type job interface {
	run() (stored int, err error)
}

// noEvents is a job without events.
type noEvents func() error

func (f noEvents) run() (int, error) { return 0, f() }

var errClosed = driver.WithClass(auditing.ClassClosed, errors.New("the log is closed"))

// Info returns what the output is.
func (o *output) Info() driver.Info { return o.info }

// Close finishes the output in turn.
func (o *output) Close(ctx context.Context) error {
	o.closeOnce.Do(func() { close(o.closing) })
	if err := o.closeInTurn(ctx); err != nil {
		return fmt.Errorf("closing %s: %w", o.info.Chain, err)
	}
	return nil
}

func (o *output) closeInTurn(ctx context.Context) error {
	select {
	case o.turn <- struct{}{}:
	default:
		select {
		case o.turn <- struct{}{}:
		case <-ctx.Done():
			if o.abort != nil {
				o.abort()
			}
			return fmt.Errorf("a write is still under way, and its outcome unknown: %w", ctx.Err())
		}
	}
	_, err := o.detached(ctx, "it goes on in the background", noEvents(func() error {
		finish := o.finish
		o.finish = nil
		if finish == nil {
			return nil
		}
		return finish()
	}))
	return err
}

// inTurn runs j once no other job runs, and waits for it until ctx ends.
func (o *output) inTurn(ctx context.Context, j job) (stored int, err error) {
	if err := o.takeTurn(ctx); err != nil {
		return 0, err
	}
	if o.mayBlock && ctx.Done() != nil {
		return o.detached(ctx, lineUnknown, j)
	}
	return o.perform(j)
}

const lineUnknown = "and whether it takes the line is unknown"

// takeTurn waits for the right to write. perform gives it back.
func (o *output) takeTurn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("not written: %w", err)
	}
	select {
	case o.turn <- struct{}{}: // the usual case, and faster than the select below
	default:
		select {
		case o.turn <- struct{}{}:
		case <-o.closing:
			return errClosed
		case <-ctx.Done():
			return fmt.Errorf("not written: %s is busy with an earlier line: %w", o.name, ctx.Err())
		}
	}
	select {
	case <-o.closing:
		<-o.turn
		return errClosed
	default:
		return nil
	}
}

// perform runs j in the turn that its caller has taken, and gives the turn back.
func (o *output) perform(j job) (stored int, err error) {
	defer func() { <-o.turn }()
	return guarded(j.run)
}

// guarded calls run. A panic of a caller's writer or core becomes an error: it would end the
// program on a goroutine of this package, and must not fail other lines.
func guarded(run func() (int, error)) (stored int, err error) {
	defer func() {
		if r := recover(); r != nil {
			stored, err = 0, driver.Permanent(fmt.Errorf("panic: %v", r))
		}
		err = classed(err)
	}()
	return run()
}

// classed marks the error of a full disk, unless that is marked already.
func classed(err error) error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	if class, _ := driver.ClassOf(err); class != auditing.ClassTransient {
		return err
	}
	return driver.WithClass(auditing.ClassFull, err)
}

// detached calls perform on a goroutine of its own, and waits for it until ctx ends. late
// tells, in the error, what becomes of j then.
func (o *output) detached(ctx context.Context, late string, j job) (stored int, err error) {
	type answer struct {
		stored int
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		stored, err := o.perform(j)
		done <- answer{stored, err}
	}()
	select {
	case a := <-done:
		return a.stored, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-done:
		return a.stored, a.err
	default:
		return 0, fmt.Errorf("%s blocks, %s: %w", o.name, late, ctx.Err())
	}
}
