package log_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/log"
)

var denied = v1alpha1.AuditDecisionDenied

func newWriterSink(t *testing.T, w io.Writer) *log.Sink {
	t.Helper()
	sink, err := log.NewWriter(w, log.Options{Component: "proxy"})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func TestNewWriterRefusesANilWriter(t *testing.T) {
	if _, err := log.NewWriter(nil, log.Options{}); err == nil {
		t.Error("NewWriter(nil) gave no error")
	}
}

func TestASinkPrintsWhatItWritesTo(t *testing.T) {
	for _, test := range []struct {
		sink auditing.Sink
		want string
	}{
		{log.Stdout(log.Options{}), "log(stdout)"},
		{log.Stderr(log.Options{}), "log(stderr)"},
		{newWriterSink(t, new(bytes.Buffer)), "log(writer)"},
	} {
		if got := auditing.Chain(test.sink); got != test.want {
			t.Errorf("the chain is %s, want %s", got, test.want)
		}
		if level := auditing.LevelOf(test.sink); level != auditing.LevelAccepted {
			t.Errorf("%s has the level %s", test.want, level)
		}
	}
}

// tearing writes the first cut bytes of a line, and says so or not.
type tearing struct {
	bytes.Buffer
	cut    int
	err    error
	panics bool
}

func (w *tearing) Write(p []byte) (int, error) {
	if w.cut < 0 {
		return w.Buffer.Write(p)
	}
	n, _ := w.Buffer.Write(p[:min(w.cut, len(p))])
	if w.panics {
		panic("torn")
	}
	return n, w.err
}

func TestCutLineFailsAndSpoilsNoOtherLine(t *testing.T) {
	cause := errors.New("no space left")
	for name, torn := range map[string]tearing{
		"with an error":          {cut: 40, err: cause},
		"without an error":       {cut: 40},
		"before the line's end":  {cut: 1 << 20, err: cause}, // all of it, and an error
		"before the first byte":  {cut: 0, err: cause},
		"by a panic":             {cut: 40, panics: true},
		"silently, with nothing": {cut: 0},
	} {
		t.Run(name, func(t *testing.T) {
			out := &torn
			want := out.err
			if want == nil {
				want = io.ErrShortWrite
			}
			sink := newWriterSink(t, out)
			for range 2 {
				err := sink.Write(t.Context(), egressEvent(denied))
				if err == nil || !out.panics && !errors.Is(err, want) {
					t.Fatalf("the error of a torn write is %v, want %v", err, want)
				}
			}
			out.cut = -1
			good := egressEvent(denied)
			if err := sink.Write(t.Context(), good); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if last := lines[len(lines)-1]; !strings.HasPrefix(last, "{") || !strings.Contains(last, good.Name) {
				t.Errorf("the line after a torn one is %q", last)
			}
			for _, line := range lines {
				if strings.Count(line, `"apiVersion"`) > 1 || line == "" && !out.panics {
					t.Errorf("a line is %q", line)
				}
			}
		})
	}
}

// A pipe that nobody reads takes what its buffer holds and then blocks.
func TestWriteToUnreadPipeEndsAtItsDeadline(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	sink := newWriterSink(t, w)
	written := 0
	for ; ; written++ {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		err := sink.Write(ctx, egressEvent(denied))
		cancel()
		if err == nil {
			continue
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("Write returned after %v", took)
		}
		if class, _ := driver.ClassOf(err); class != auditing.ClassTimeout || !errors.Is(err, context.DeadlineExceeded) ||
			!strings.Contains(err.Error(), "unknown") {
			t.Errorf("the error of the write under way is %v", err)
		}
		break
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := sink.Write(ctx, egressEvent(denied)); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not written") {
		t.Errorf("the error of the write behind it is %v", err)
	}
	if err := sink.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close with a write under way gave %v", err)
	}
	if err := sink.Write(t.Context(), egressEvent(denied)); !isClosed(err) {
		t.Errorf("Write after Close gave %v", err)
	}
	// Read on, and the blocked line arrives whole.
	read := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(r)
		read <- text
	}()
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	text := <-read
	if n := bytes.Count(text, []byte("\n")); n != written+1 || text[len(text)-1] != '\n' {
		t.Errorf("%d lines arrived, want %d", n, written+1)
	}
}

func isClosed(err error) bool {
	class, _ := driver.ClassOf(err)
	return err != nil && class == auditing.ClassClosed
}

func TestAFullDeviceIsAnError(t *testing.T) {
	sink, err := log.NewFile("/dev/full", log.FileOptions{})
	if err != nil {
		t.Skip(err)
	}
	defer sink.Close(t.Context())
	for range 2 {
		err = sink.Write(t.Context(), egressEvent(denied))
		if !errors.Is(err, errNoSpace) || !errors.Is(err, auditing.ErrAuditWrite) {
			t.Errorf("the error is %v", err)
		}
	}
	if class, _ := driver.ClassOf(err); class != auditing.ClassFull {
		t.Errorf("a full disk is %s, want %s: it can have room again", class, auditing.ClassFull)
	}
}

func TestCloseRefusesWaitingWritesAtOnce(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	sink := newWriterSink(t, writerFunc(func(p []byte) (int, error) {
		close(entered)
		<-release
		return len(p), nil
	}))
	first := make(chan error, 1)
	go func() { first <- sink.Write(context.Background(), egressEvent(denied)) }()
	<-entered
	behind := make(chan error, 2)
	for range cap(behind) {
		go func() { behind <- sink.Write(context.Background(), egressEvent(denied)) }()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := sink.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("Close while a write hangs gave %v", err)
	}
	for range cap(behind) {
		if err := <-behind; !isClosed(err) {
			t.Errorf("a write that waited gave %v", err)
		}
	}
	close(release)
	if err := <-first; err != nil {
		t.Errorf("the write under way gave %v", err)
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
