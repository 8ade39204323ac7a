package log

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
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

// gatedDisk holds up the first write to a file, and takes no more than room bytes in all
// until room is negative.
type gatedDisk struct {
	disk.Disk
	gate *held
	room atomic.Int64

	mu      sync.Mutex
	unended []string // the lines of which all but the newline was taken, with their newlines
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
	if n > 0 && n < len(p) && p[n] == '\n' {
		f.on.mu.Lock()
		f.on.unended = append(f.on.unended, string(p[bytes.LastIndexByte(p[:n], '\n')+1:n+1]))
		f.on.mu.Unlock()
	}
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
				// The write that follows ends a line that lacks only its newline.
				if n != 0 && (n > 1 || !slices.Contains(d.unended, line)) {
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
