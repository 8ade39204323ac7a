package log

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/driver"
)

// held is an output that holds a write up: the first one, and each one after hold was called
// again.
type held struct {
	io.Writer
	entered, release chan struct{}
	holds            atomic.Bool
}

func hold(w io.Writer) *held {
	h := &held{Writer: w, entered: make(chan struct{}), release: make(chan struct{})}
	h.holds.Store(true)
	return h
}

func (h *held) Write(p []byte) (int, error) {
	if h.holds.CompareAndSwap(true, false) {
		h.entered <- struct{}{}
		<-h.release
	}
	return h.Writer.Write(p)
}

// await polls a condition.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(50 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// gathered is how many writers wait in the group that gathers.
func gathered(s *Sink) int {
	s.output.groups.mu.Lock()
	defer s.output.groups.mu.Unlock()
	if s.output.groups.next == nil {
		return 0
	}
	return len(s.output.groups.next.chunks)
}

// storing stores one event on a goroutine of its own.
func storing(ctx context.Context, s *Sink, e *driver.Event) <-chan error {
	done := make(chan error, 1)
	go func() { done <- errors.Join(driver.Of(s).Store(ctx, []*driver.Event{e})...) }()
	return done
}

// together lets each event be stored by a writer of its own, in one group in this order: they
// come while the line of first is held up. It returns the outcomes, that of first in front.
func together(t *testing.T, ctx context.Context, s *Sink, h *held, first *driver.Event, events []*driver.Event) []error { //nolint:revive // the test comes first
	t.Helper()
	outcomes := []<-chan error{storing(ctx, s, first)}
	<-h.entered
	for i, e := range events {
		outcomes = append(outcomes, storing(ctx, s, e))
		await(t, "the writers gather", func() bool { return gathered(s) == i+1 })
	}
	close(h.release)
	errs := make([]error, len(outcomes))
	for i, outcome := range outcomes {
		errs[i] = <-outcome
	}
	return errs
}

func TestWritersThatWaitShareWriteAndSync(t *testing.T) {
	for name, ctx := range bothContexts(t) {
		out := &scripted{takes: -1}
		h := hold(out)
		sink := newLineSink("file", &lineWriter{to: h, sync: out.sync, mayBlock: true, group: maxChunk}, Options{})
		events := batchOf(t, 65)
		if err := errors.Join(together(t, ctx, sink, h, events[0], events[1:])...); err != nil {
			t.Fatal(err)
		}
		if out.writes != 2 || out.synced != 2 {
			t.Errorf("%s: %d writes and %d syncs, want two of each", name, out.writes, out.synced)
		}
		if out.String() != textOf(events) {
			t.Errorf("%s: the lines are other than one by one", name)
		}
	}
}

func TestWriterOfCallerGetsLinesOneByOne(t *testing.T) {
	out := &scripted{takes: -1}
	h := hold(out)
	sink, err := NewWriter(h, Options{})
	must(t, err)
	first := storing(t.Context(), sink, batchOf(t, 1)[0])
	<-h.entered
	var wg sync.WaitGroup
	for _, e := range batchOf(t, 8) {
		wg.Go(func() {
			if err := <-storing(t.Context(), sink, e); err != nil {
				t.Error(err)
			}
		})
	}
	close(h.release)
	wg.Wait()
	must(t, <-first)
	if out.writes != 9 {
		t.Errorf("%d writes of 9 lines", out.writes)
	}
}

func TestGroupIsBounded(t *testing.T) {
	for _, most := range []int{pipeChunk, maxChunk} {
		out := &scripted{takes: -1}
		h := hold(out)
		sink := newLineSink("stderr", &lineWriter{to: h, mayBlock: true, group: most}, Options{})
		long := newEvent("long")
		long.Annotations = map[string]string{"example.com/blob": strings.Repeat("x", 200<<10)}
		first := storing(t.Context(), sink, prepared(t, newEvent("first")))
		<-h.entered
		const writers = 600
		var wg sync.WaitGroup
		for i := range writers {
			e := prepared(t, newEvent(fmt.Sprintf("e-%d", i)))
			if i%200 == 100 {
				e = prepared(t, long)
			}
			wg.Go(func() {
				if err := <-storing(t.Context(), sink, e); err != nil {
					t.Error(err)
				}
			})
		}
		close(h.release)
		wg.Wait()
		must(t, <-first)
		longest := most
		if most == pipeChunk {
			longest = len(lineOf(prepared(t, long))) // it goes alone
		}
		if out.longest > longest {
			t.Errorf("a write has %d bytes, want at most %d", out.longest, longest)
		}
		if n := strings.Count(out.String(), "\n"); n != 1+writers {
			t.Errorf("%d lines were written, want %d", n, 1+writers)
		}
	}
}

func TestGroupForPipeIsOneThatItTakesWhole(t *testing.T) {
	dir := t.TempDir()
	fifo, file := filepath.Join(dir, "fifo"), filepath.Join(dir, "file")
	must(t, syscall.Mkfifo(fifo, 0o600))
	pipe, err := os.OpenFile(fifo, os.O_RDWR, 0)
	must(t, err)
	defer pipe.Close()
	regular, err := os.Create(file)
	must(t, err)
	defer regular.Close()
	onFIFO, err := NewFile(fifo, FileOptions{})
	must(t, err)
	defer onFIFO.Close(t.Context())
	for _, test := range []struct {
		sink *Sink
		most int
	}{
		{newStandardSink("stderr", pipe, Options{}), pipeChunk},
		{newStandardSink("stderr", regular, Options{}), maxChunk},
		{onFIFO, pipeChunk},
	} {
		if got := test.sink.output.groups.most; got != test.most {
			t.Errorf("a group for %s has up to %d bytes, want %d", test.sink, got, test.most)
		}
	}
}

func TestEachWriterOfTornGroupHasItsOutcome(t *testing.T) {
	full := syscall.ENOSPC
	for name, test := range map[string]struct {
		lines, bytes int // of the group, that the output takes; all lines have one length
		err, syncErr error
		panics       bool
		want         string
		cause        error
	}{
		"nothing":                  {0, 0, full, nil, false, "full full full full", full},
		"within the third":         {2, 40, full, nil, false, "ok ok full full", full},
		"all but the last newline": {4, -1, full, nil, false, "ok ok ok full", full},
		"no word":                  {2, 40, nil, nil, false, "ok ok transient transient", io.ErrShortWrite},
		"and the sync fails":       {2, 40, full, syscall.EIO, false, "full full full full", syscall.EIO},
		"a permanent error":        {1, 40, driver.Permanent(full), nil, false, "ok permanent transient transient", full},
		"a panic":                  {2, 40, nil, nil, true, "permanent transient transient transient", nil},
	} {
		for how, ctx := range bothContexts(t) {
			t.Run(name+" "+how, func(t *testing.T) {
				events := batchOf(t, 5)
				out := &scripted{takes: -1}
				h := hold(writerFunc(func(p []byte) (int, error) {
					switch out.writes {
					case 0:
						n, err := out.Write(p)
						out.takes = test.lines*len(p) + test.bytes // of the next write, that of the group
						out.err, out.panics = test.err, test.panics
						return n, err
					case 1:
						out.syncErr = test.syncErr
					}
					return out.Write(p)
				}))
				sink := newLineSink("file", &lineWriter{to: h, sync: out.sync, mayBlock: true, group: maxChunk}, Options{})
				errs := together(t, ctx, sink, h, events[0], events[1:])
				if got := failed(errs); got != "ok "+test.want {
					t.Errorf("the outcomes are %q, want %q", got, "ok "+test.want)
				}
				if err := errors.Join(errs...); test.cause != nil && !errors.Is(err, test.cause) {
					t.Errorf("the error is %v, want %v in it", err, test.cause)
				}
				// What failed is stored again, and every line is whole.
				out.takes, out.panics, out.syncErr = -1, false, nil
				for i, err := range errs {
					if err != nil {
						must(t, <-storing(ctx, sink, events[i]))
					}
				}
				whole := map[string]bool{}
				for l := range strings.Lines(out.String()) {
					if strings.Count(l, `"apiVersion"`) > 1 {
						t.Errorf("a line is %q", l)
					}
					whole[l] = true
				}
				for _, e := range events {
					if !whole[string(lineOf(e))] {
						t.Errorf("%s has no whole line in %s", e.Ref(), out.String())
					}
				}
			})
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
