package log

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/disk"
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

func TestWriterLeavesGroupWithItsContext(t *testing.T) {
	for leaver, who := range []string{"leader", "follower"} {
		for _, mayBlock := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, mayBlock %t", who, mayBlock), func(t *testing.T) {
				out := &scripted{takes: -1}
				h := hold(out)
				sink := newLineSink("file", &lineWriter{to: h, mayBlock: mayBlock, group: maxChunk}, Options{})
				events := batchOf(t, 5)
				first := storing(context.Background(), sink, events[0])
				<-h.entered
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var outcomes []<-chan error
				for i, e := range events[1:] {
					own := t.Context()
					if i == leaver {
						own = ctx
					}
					outcomes = append(outcomes, storing(own, sink, e))
					await(t, "the writers gather", func() bool { return gathered(sink) == i+1 })
				}
				cancel()
				err := <-outcomes[leaver]
				if class, _ := driver.ClassOf(err); class != auditing.ClassTimeout || !strings.Contains(err.Error(), "not written") {
					t.Errorf("the writer that left got %v", err)
				}
				close(h.release)
				must(t, <-first)
				for i, outcome := range outcomes {
					if i != leaver {
						must(t, <-outcome)
					}
				}
				must(t, sink.Close(t.Context()))
				left := events[1+leaver]
				if want := strings.Replace(textOf(events), string(lineOf(left)), "", 1); out.String() != want {
					t.Errorf("the output is\n%swant\n%s", out.String(), want)
				}
			})
		}
	}
}

func TestContextEndsWhileGroupIsWritten(t *testing.T) {
	out := &scripted{takes: -1}
	h := hold(out)
	sink := newLineSink("stderr", &lineWriter{to: h, mayBlock: true, group: maxChunk}, Options{})
	events := batchOf(t, 4)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	first := storing(t.Context(), sink, events[0])
	<-h.entered
	var hasty []<-chan error // the leader among them
	for i, e := range events[1:3] {
		hasty = append(hasty, storing(ctx, sink, e))
		await(t, "the writers gather", func() bool { return gathered(sink) == i+1 })
	}
	patient := storing(t.Context(), sink, events[3])
	await(t, "the writers gather", func() bool { return gathered(sink) == 3 })
	h.holds.Store(true) // the group too
	h.release <- struct{}{}
	<-h.entered
	must(t, <-first)
	cancel()
	for _, outcome := range hasty {
		if err := <-outcome; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "unknown") {
			t.Errorf("a writer whose line is being written got %v", err)
		}
	}
	select {
	case err := <-patient:
		t.Errorf("a writer whose context has not ended got %v", err)
	default:
	}
	close(h.release)
	must(t, <-patient)
	if out.String() != textOf(events) {
		t.Errorf("the output is %s", out.String())
	}
}

func TestCloseRefusesGroupThatWaits(t *testing.T) {
	for _, leaderLeft := range []bool{false, true} {
		t.Run(fmt.Sprintf("leader left %t", leaderLeft), func(t *testing.T) { closeRefusesGroup(t, leaderLeft) })
	}
}

func closeRefusesGroup(t *testing.T, leaderLeft bool) {
	t.Helper()
	out := &scripted{takes: -1}
	h := hold(out)
	sink := newLineSink("file", &lineWriter{to: h, mayBlock: true, group: maxChunk}, Options{})
	events := batchOf(t, 4)
	first := storing(t.Context(), sink, events[0])
	<-h.entered
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	leader := storing(ctx, sink, events[1])
	await(t, "the leader waits", func() bool { return gathered(sink) == 1 })
	var waiting []<-chan error
	for i, e := range events[2:] {
		waiting = append(waiting, storing(t.Context(), sink, e))
		await(t, "the writers gather", func() bool { return gathered(sink) == i+2 })
	}
	if leaderLeft {
		cancel()
		if err := <-leader; err == nil {
			t.Error("the leader left with nil")
		}
	} else {
		waiting = append(waiting, leader)
	}
	ended, end := context.WithTimeout(t.Context(), time.Millisecond)
	defer end()
	if err := sink.Close(ended); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close while a write hangs gave %v", err)
	}
	for _, outcome := range waiting {
		err := <-outcome
		if class, _ := driver.ClassOf(err); class != auditing.ClassClosed {
			t.Errorf("a writer in the group got %v", err)
		}
	}
	close(h.release)
	must(t, <-first, sink.Close(t.Context()))
	if out.String() != textOf(events[:1]) {
		t.Errorf("the output is %s", out.String())
	}
}

// gatedDisk holds up the first write to a file, and takes no more than room bytes in all
// until room is negative.
type gatedDisk struct {
	disk.Disk
	gate *held
	room atomic.Int64
}

func newGatedDisk(room int64) *gatedDisk {
	d := &gatedDisk{Disk: disk.OS, gate: hold(nil)}
	d.room.Store(room)
	return d
}

func (d *gatedDisk) OpenFile(path string, flag int, mode fs.FileMode) (disk.File, error) {
	f, err := d.Disk.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	return gatedFile{f, d}, nil
}

type gatedFile struct {
	disk.File
	on *gatedDisk
}

func (f gatedFile) Write(p []byte) (int, error) {
	if h := f.on.gate; h.holds.CompareAndSwap(true, false) {
		h.entered <- struct{}{}
		<-h.release
	}
	room := f.on.room.Load()
	if room < 0 {
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:min(int64(len(p)), room)])
	f.on.room.Add(-int64(n))
	if err == nil && n < len(p) {
		err = syscall.ENOSPC
	}
	return n, err
}

func TestGroupRotatesFileBetweenLines(t *testing.T) {
	for _, fsync := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "audit.log")
		d := newGatedDisk(-1)
		sink, err := newRotating(path, FileOptions{Fsync: fsync, Mode: disk.PrivateMode}, d, smallFile)
		must(t, err)
		events := batchOf(t, 120)
		must(t, together(t, t.Context(), sink, d.gate, events[0], events[1:])...)
		must(t, sink.Close(t.Context()))
		longest := int64(len(lineOf(events[len(events)-1])))
		names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "audit*"))
		must(t, err)
		for _, name := range names {
			info, err := os.Stat(name)
			must(t, err)
			if info.Size() > smallFile || name != path && info.Size() <= smallFile-longest {
				t.Errorf("%s has %d bytes, want the last line that fits into %d", filepath.Base(name), info.Size(), smallFile)
			}
		}
		text, err := readAll(path)
		must(t, err)
		if string(text) != textOf(events) || len(names) < 3 {
			t.Errorf("with fsync %t, the lines of %d files are other than those of the writers", fsync, len(names))
		}
	}
}

func TestDiskFullInGroupTellsEachWriterTheTruth(t *testing.T) {
	for _, fsync := range []bool{false, true} {
		events := batchOf(t, 10) // names of one length
		line := int64(len(lineOf(events[0])))
		path := filepath.Join(t.TempDir(), "audit.log")
		d := newGatedDisk(5*line + line/2)
		sink, err := newRotating(path, FileOptions{Fsync: fsync, Mode: disk.PrivateMode}, d, megabyte)
		must(t, err)
		errs := together(t, t.Context(), sink, d.gate, events[0], events[1:])
		if got, want := failed(errs), strings.Repeat("ok ", 5)+strings.Repeat("full ", 5); got+" " != want {
			t.Errorf("with fsync %t, the outcomes are %q, want %q", fsync, got, want)
		}
		d.room.Store(-1)
		for _, e := range events[5:] {
			must(t, <-storing(t.Context(), sink, e))
		}
		must(t, sink.Close(t.Context()))
		text, err := os.ReadFile(path)
		must(t, err)
		torn := string(lineOf(events[5])[:line/2]) + "\n"
		if want := textOf(events[:5]) + torn + textOf(events[5:]); string(text) != want {
			t.Errorf("with fsync %t, the file holds\n%swant\n%s", fsync, text, want)
		}
	}
}

func TestMovedFileIsToldToWholeGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	d := newGatedDisk(-1)
	sink, err := newRotating(path, FileOptions{Mode: disk.PrivateMode}, d, megabyte)
	must(t, err)
	events := batchOf(t, 4)
	first := storing(t.Context(), sink, events[0])
	<-d.gate.entered
	var outcomes []<-chan error
	for i, e := range events[1:] {
		outcomes = append(outcomes, storing(t.Context(), sink, e))
		await(t, "the writers gather", func() bool { return gathered(sink) == i+1 })
	}
	d.gate.holds.Store(true)
	d.gate.release <- struct{}{}
	<-d.gate.entered
	must(t, <-first)
	must(t, os.Rename(path, path+".old"))
	close(d.gate.release)
	for _, outcome := range outcomes {
		if err := <-outcome; !errors.Is(err, errMoved) {
			t.Errorf("a writer of the group got %v", err)
		}
	}
	for _, e := range events[1:] {
		must(t, <-storing(t.Context(), sink, e))
	}
	must(t, sink.Close(t.Context()))
	if text, err := os.ReadFile(path); err != nil || string(text) != textOf(events[1:]) {
		t.Errorf("the new file holds %s, %v", text, err)
	}
}

// Many writers with contexts that end, on a disk that is full now and then: what was confirmed
// is there once, and what was not written is not there.
func TestGroupsTellEachWriterTheTruth(t *testing.T) {
	for _, fsync := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "audit.log")
		d := newGatedDisk(-1)
		d.gate.holds.Store(false)
		sink, err := newRotating(path, FileOptions{Fsync: fsync, Mode: disk.PrivateMode}, d, smallFile)
		must(t, err)
		var mu sync.Mutex
		outcomes := map[string]error{} // of lines
		var writers sync.WaitGroup
		for w := range 32 {
			writers.Go(func() {
				for i := range 40 {
					e := prepared(t, newEvent(fmt.Sprintf("e-%d-%d", w, i)))
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(2000))*time.Microsecond)
					err := errors.Join(driver.Of(sink).Store(ctx, []*driver.Event{e})...)
					cancel()
					mu.Lock()
					outcomes[string(lineOf(e))] = err
					mu.Unlock()
					if w == 0 {
						d.room.Store(rand.Int64N(4000) * (rand.Int64N(2)*2 - 1)) // below 0 for any
					}
				}
			})
		}
		writers.Wait()
		d.room.Store(-1)
		must(t, sink.Close(t.Context()))
		files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "audit*"))
		must(t, err)
		times := map[string]int{}
		for _, file := range files { // each by itself, for a backup may end within a line
			text, err := os.ReadFile(file)
			must(t, err)
			for line := range strings.Lines(string(text)) {
				times[line]++
			}
		}
		counts := map[string]int{}
		for line, err := range outcomes {
			switch n := times[line]; {
			case err == nil:
				counts["confirmed"]++
				if n != 1 {
					t.Errorf("a confirmed line is there %d times: %s", n, line)
				}
			case strings.Contains(err.Error(), "not written"), errors.Is(err, syscall.ENOSPC):
				counts["not written"]++
				if n != 0 {
					t.Errorf("a line is there %d times that was not written, by %v: %s", n, err, line)
				}
			case strings.Contains(err.Error(), "not attempted"):
			default:
				counts["unknown"]++
				if class, _ := driver.ClassOf(err); class != auditing.ClassTimeout || n > 1 {
					t.Errorf("a line that is there %d times failed with %v", n, err)
				}
			}
		}
		t.Logf("with fsync %t: %v", fsync, counts)
		if counts["confirmed"] == 0 || counts["not written"] == 0 {
			t.Errorf("with fsync %t, the test shows too little: %v", fsync, counts)
		}
	}
}
