package log

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

const outcomeUnknown = "and whether it takes the line is unknown"

// NewWriter returns a Sink that writes each line to w in one call. It never
// closes w, and nobody else may write to w while a line is being written.
func NewWriter(w io.Writer, opts Options) (*Sink, error) {
	if w == nil {
		return nil, errors.New("log: the writer is nil: give one, or use Stdout or Stderr")
	}
	return newLineSink("writer", &lineWriter{to: w, mayBlock: !isRegular(w)}, opts), nil
}

// Stdout returns a Sink that writes to the standard output. Close leaves that open.
func Stdout(opts Options) *Sink {
	return newLineSink("stdout", &lineWriter{to: os.Stdout, mayBlock: !isRegular(os.Stdout)}, opts)
}

// Stderr returns a Sink that writes to the standard error. Close leaves that open.
func Stderr(opts Options) *Sink {
	return newLineSink("stderr", &lineWriter{to: os.Stderr, mayBlock: !isRegular(os.Stderr)}, opts)
}

// isRegular reports that writing to w waits for nobody.
func isRegular(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

func newLineSink(name string, w *lineWriter, opts Options) *Sink {
	s := newSink(name, opts)
	out := &lineOutput{sink: s, name: quoted(s.logger), w: w}
	s.send = out.send
	return s
}

// lineOutput encodes on the caller's goroutine and writes in turn.
type lineOutput struct {
	sink *Sink
	name []byte // of the logger, as JSON
	w    *lineWriter
}

func (o *lineOutput) send(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	t := newText()
	t.bytes = appendLine(t.bytes, o.name, ae)
	if err := o.sink.takeTurn(ctx); err != nil {
		t.free()
		return err
	}
	if o.w.mayBlock && ctx.Done() != nil {
		return o.sink.detached(ctx, outcomeUnknown, func() error {
			defer t.free()
			return o.w.writeLine(t.bytes)
		})
	}
	defer o.sink.giveBack()
	defer t.free()
	return o.w.writeLine(t.bytes)
}

// lineWriter writes whole lines. It is used by one goroutine at a time.
type lineWriter struct {
	to io.Writer
	// sync, if any, makes durable what was written.
	sync     func() error
	mayBlock bool
	// torn says that the output may end within a line.
	torn bool
}

var newline = []byte{'\n'}

func (w *lineWriter) writeLine(text []byte) error {
	if w.torn {
		n, err := writeAll(w.to, newline)
		w.torn = n == 0
		if err != nil {
			return err
		}
	}
	w.torn = true // until it is known better, a panic of the writer included
	n, err := writeAll(w.to, text)
	w.torn = n > 0 && n < len(text)
	if err != nil {
		return err
	}
	if w.sync != nil {
		return w.sync()
	}
	return nil
}

// writeAll takes a short write for the error that it is, also where the writer
// does not say so.
func writeAll(to io.Writer, text []byte) (int, error) {
	n, err := to.Write(text)
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
	return n, err
}
