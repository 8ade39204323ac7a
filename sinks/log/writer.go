package log

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// NewWriter returns a Sink that writes each line to w in one call. A stage such as spool
// hands events on in batches, whose lines go in calls of up to 256 KiB. It
// never closes w, and nobody else may write to w while a line is being written.
func NewWriter(w io.Writer, opts Options) (*Sink, error) {
	if w == nil {
		return nil, errors.New("log: the writer is nil: give one, or use Stdout or Stderr")
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	return newLineSink("writer", &lineWriter{to: w, mayBlock: !isRegular(w)}, opts), nil
}

// Stdout returns a Sink that writes to the standard output. Close leaves that open.
// Write refuses every event when the component in opts is no label value.
func Stdout(opts Options) *Sink {
	return newStandardSink("stdout", os.Stdout, opts)
}

// Stderr returns a Sink that writes to the standard error. Close leaves that open.
// Write refuses every event when the component in opts is no label value.
func Stderr(opts Options) *Sink {
	return newStandardSink("stderr", os.Stderr, opts)
}

func newStandardSink(name string, f *os.File, opts Options) *Sink {
	w := &lineWriter{to: f, mayBlock: !isRegular(f), group: maxChunk}
	if w.mayBlock {
		w.group = pipeChunk
	}
	return newLineSink(name, w, opts)
}

// isRegular reports that w is a regular file, to which a write does not block.
func isRegular(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

func newLineSink(name string, w *lineWriter, opts Options) *Sink {
	level := auditing.LevelAccepted
	if w.sync != nil {
		level = auditing.LevelDurable
	}
	o := &lineOutput{output: newOutput(name, level, opts.Component), logger: quoted(opts.logger()), to: w}
	o.groups.most = w.group
	o.mayBlock, o.reopen, o.finish, o.abort = w.mayBlock, w.reopen, w.finish, w.abort
	return &Sink{driver.New(o), &o.output}
}

// lineOutput encodes on the caller's goroutine and writes in turn.
type lineOutput struct {
	output
	logger []byte // its name as JSON
	to     *lineWriter
}

// Store writes the lines of events, as many at once as go into a chunk.
func (o *lineOutput) Store(ctx context.Context, events []*driver.Event) []error {
	var errs []error
	for from := 0; from < len(events); {
		c := newChunk(o.to, o.logger, events[from:])
		behind := from + len(c.ends)
		if stored, err := o.write(ctx, c); err != nil {
			if errs == nil {
				errs = make([]error, len(events))
			}
			fail(errs[from+stored:behind], err)
		}
		from = behind
	}
	return errs
}

// fail sets the outcomes of a line that failed with err and of the lines behind it, which were
// not written.
func fail(errs []error, err error) {
	errs[0] = err
	err = behind(err)
	for i := range errs[1:] {
		errs[1+i] = err
	}
}

// behind is the outcome of lines behind one that failed with err: a permanent error is that of
// one line alone.
func behind(err error) error {
	if class, _ := driver.ClassOf(err); class == auditing.ClassPermanent {
		return driver.WithClass(auditing.ClassTransient, fmt.Errorf("not written, behind a line that failed: %w", err))
	}
	return err
}

// lineWriter writes whole lines. It is used by one goroutine at a time.
type lineWriter struct {
	to io.Writer
	// group bounds the bytes of a group. Without it the lines of each writer are written alone.
	group int
	// ready, if any, makes the output ready for a line of n bytes. room is how many bytes go in
	// before it has to be asked again, at least n.
	ready func(n int) (room int, err error)
	// sync, if any, makes the written lines durable.
	sync func() error
	// confirm, if any, returns an error when the output no longer holds the n bytes that
	// were written last.
	confirm func(n int) error
	// These become the fields of output with the same names.
	mayBlock bool
	reopen   func() error
	finish   func() error
	abort    func()
	// torn says that the output may end within a line.
	torn bool
}

var newline = []byte{'\n'}

// write writes text, which holds lines that end at ends. It returns how many of them are
// written, synced if there is a sync, and confirmed if there is a confirm.
func (w *lineWriter) write(text []byte, ends []int) (stored int, err error) {
	for from := 0; stored < len(ends); from = ends[stored-1] {
		part := ends[stored:]
		if w.ready != nil {
			room, err := w.ready(part[0] - from)
			if err != nil {
				return stored, err
			}
			fit, _ := slices.BinarySearch(part, from+room+1)
			part = part[:fit]
		}
		n, err := w.writePart(text[:part[len(part)-1]], from, part)
		stored += n
		if err != nil {
			return stored, err
		}
	}
	return stored, nil
}

// writePart writes the lines of text from an offset on.
func (w *lineWriter) writePart(text []byte, from int, ends []int) (stored int, err error) {
	stored, n, err := w.append(text, from, ends)
	if w.confirm != nil { // also when nothing is stored, to leave a file that is gone
		if gone := w.confirm(n); gone != nil {
			return 0, errors.Join(err, gone)
		}
	}
	return stored, err
}

// append writes and syncs. n is how many bytes are written.
func (w *lineWriter) append(text []byte, from int, ends []int) (stored, n int, err error) {
	if w.torn {
		n, err := writeAll(w.to, newline)
		w.torn = n == 0
		if err != nil {
			return 0, 0, err
		}
	}
	w.torn = true // stays so if the writer panics
	n, err = writeAll(w.to, text[from:])
	written := from + n
	w.torn = n > 0 && text[written-1] != '\n'
	switch {
	case err == nil:
		stored = len(ends)
	case written < len(text): // an error behind the last byte concerns all lines
		stored, _ = slices.BinarySearch(ends, written+1)
	}
	if stored > 0 && w.sync != nil {
		if unsynced := w.sync(); unsynced != nil {
			return 0, n, errors.Join(err, unsynced)
		}
	}
	return stored, n, err
}

// writeAll returns an error for every short write, even when the writer returns none.
func writeAll(to io.Writer, text []byte) (int, error) {
	n, err := to.Write(text)
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
	return n, err
}
