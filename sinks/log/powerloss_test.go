package log

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/disk/disktest"
)

// smallFile is the size in bytes at which the files of these tests are rotated.
const smallFile = 16 << 10

// written has the lines that were asked of a sink and confirmed, and after which operation of
// the disk.
type written struct {
	mu               sync.Mutex
	asked, confirmed map[string]int
}

// store writes events, and notes the lines that are confirmed.
func (w *written) store(t *testing.T, sink *Sink, d *disktest.Recorder, events []*driver.Event) {
	w.mu.Lock()
	for _, e := range events {
		w.asked[textOf([]*driver.Event{e})] = d.Now()
	}
	w.mu.Unlock()
	errs := driver.Of(sink).Store(t.Context(), events)
	if errs == nil {
		errs = make([]error, len(events))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, e := range events {
		if errs[i] == nil {
			w.confirmed[textOf([]*driver.Event{e})] = d.Now()
		} else if !errors.Is(errs[i], errMoved) && !errors.Is(errs[i], fs.ErrNotExist) { // the file was renamed within a rotation
			t.Error(errs[i])
		}
	}
}

// use lets writers write through three sinks on one file, one after the other. Meanwhile the
// file is renamed, with Reopen and without, and replaced. The second sink compresses backups.
func use(t *testing.T, d *disktest.Recorder) *written {
	t.Helper()
	w := &written{asked: map[string]int{}, confirmed: map[string]int{}}
	path := filepath.Join(d.Root, "audit.log")
	for life := range 3 {
		sink, err := newRotating(path, FileOptions{Fsync: true, Compress: life == 1, Mode: disk.PrivateMode}, d, smallFile)
		if err != nil {
			t.Fatal(err)
		}
		var writers sync.WaitGroup
		for writer := range 3 {
			writers.Go(func() {
				for i := range 8 {
					var events []*driver.Event
					for n := range 1 + (i+writer)%4 {
						ae := newEvent(fmt.Sprintf("e-%d-%d-%d-%d", life, writer, i, n))
						ae.Spec.Detail["text"] = strings.Repeat("x", 100+(n*977+i*131)%1500)
						events = append(events, prepared(t, ae))
					}
					w.store(t, sink, d, events)
					if writer == 0 && i%4 == 3 {
						rotateByHand(t, d, path, fmt.Sprintf("%s.%d-%d", path, life, i), life == 2)
						if life == 0 {
							must(t, sink.Reopen(t.Context()))
						}
					}
				}
			})
		}
		writers.Wait()
		must(t, sink.Close(t.Context()))
	}
	return w
}

// rotateByHand renames the log, as another program does, and may make a new one.
func rotateByHand(t *testing.T, d *disktest.Recorder, path, to string, replace bool) {
	t.Helper()
	must(t, d.Rename(path, to))
	if replace {
		f, err := d.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, disk.PrivateMode)
		must(t, err, f.Close())
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// linesIn returns the whole lines of the log in dir, of its backups and of the files that it
// was renamed to.
func linesIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "audit*"))
	must(t, err)
	lines := map[string]bool{}
	for _, name := range names {
		if strings.HasSuffix(name, ".part") {
			continue
		}
		text, err := os.ReadFile(name)
		must(t, err)
		if strings.HasSuffix(name, compressed) {
			z, err := gzip.NewReader(bytes.NewReader(text))
			if err == nil {
				text, err = io.ReadAll(z)
			}
			if err != nil {
				continue // its lines are lost: what is unpacked of a damaged file may be anything
			}
		}
		for line := range strings.Lines(string(text)) {
			lines[line] = true
		}
	}
	return lines
}

// look counts the lines that were confirmed before the n-th operation, in got and not.
func (w *written) look(n int, got map[string]bool) (kept, lost int) {
	for line, at := range w.confirmed {
		switch {
		case at > n:
		case got[line]:
			kept++
		default:
			lost++
		}
	}
	return kept, lost
}

// invented returns the events in got that were not asked for before the n-th operation.
func (w *written) invented(n int, got map[string]bool) (lines []string) {
	for line := range got {
		if at, ok := w.asked[line]; json.Valid([]byte(line)) && (!ok || at > n) {
			lines = append(lines, line)
		}
	}
	return lines
}

// restart writes one more line to the log in dir. It fails when the line is not whole
// afterwards, or when the log or a backup has NUL bytes.
func restart(t *testing.T, dir string, compress bool) (line string) {
	t.Helper()
	path := filepath.Join(dir, "audit.log")
	sink, err := newRotating(path, FileOptions{Fsync: true, Compress: compress, Mode: disk.PrivateMode}, disktest.Unsynced{Disk: disk.OS}, smallFile)
	must(t, err)
	e := prepared(t, newEvent("after-the-restart"))
	must(t, errors.Join(driver.Of(sink).Store(t.Context(), []*driver.Event{e})...), sink.Close(t.Context()))
	backups, err := filepath.Glob(filepath.Join(dir, "audit-*.log"))
	must(t, err)
	for _, name := range append(backups, path) {
		text, err := os.ReadFile(name)
		must(t, err)
		if n := bytes.Count(text, []byte{0}); n > 0 {
			t.Errorf("%s has %d NUL bytes after a restart", filepath.Base(name), n)
		}
	}
	return textOf([]*driver.Event{e})
}

// used lets a program use a log on d. Each state is looked at, and where again says so, once
// more after a restart.
func used(t *testing.T, again bool) func(d *disktest.Recorder) disktest.LookFunc {
	restarts := 0
	return func(d *disktest.Recorder) disktest.LookFunc {
		w := use(t, d)
		return func(n int, dir string) (kept, lost int) {
			got := linesIn(t, dir)
			if invented := w.invented(n, got); len(invented) > 0 {
				t.Errorf("power loss after %d operations: invented are %.300q", n, invented)
			}
			kept, lost = w.look(n, got)
			if !again {
				return kept, lost
			}
			restarts++
			added := restart(t, dir, restarts%4 == 0)
			got = linesIn(t, dir)
			if after, _ := w.look(n, got); after < kept || !got[added] {
				t.Errorf("power loss after %d operations: of %d lines, %d are left after a restart; its line is there: %t", n, kept, after, got[added])
			}
			return kept, lost
		}
	}
}

func TestPowerLossLosesNoConfirmedLine(t *testing.T) { disktest.Look(t, used(t, true)) }

func TestPowerLossFindsMissingSync(t *testing.T) { disktest.FindsMissingSync(t, used(t, false)) }
