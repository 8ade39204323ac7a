package log

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/disk/disktest"
)

var (
	powerLossStates = flag.Int("powerloss", 1000, "how many states after a power loss TestPowerLossLosesNoConfirmedLine looks at")
	powerLossSeed   = flag.Uint64("powerloss.seed", 0, "seed of the states; chosen by the clock when 0")
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
			if err != nil {
				continue // its lines are lost
			}
			text, _ = io.ReadAll(z)
		}
		for line := range strings.Lines(string(text)) {
			lines[line] = true
		}
	}
	return lines
}

// lost returns the lines that were confirmed before the n-th operation and are not in got.
func (w *written) lost(n int, got map[string]bool) (lines []string) {
	for line, at := range w.confirmed {
		if at <= n && !got[line] {
			lines = append(lines, line)
		}
	}
	return lines
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

func TestPowerLossLosesNoConfirmedLine(t *testing.T) {
	seed := *powerLossSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	found := 0
	for left := *powerLossStates; left > 0 && !t.Failed(); {
		d := disktest.NewRecorder(t.TempDir())
		w := use(t, d)
		for range min(left, 250) {
			left--
			n := random.IntN(d.Now() + 1)
			dir := t.TempDir()
			must(t, d.PowerLoss(random, n, dir))
			got := linesIn(t, dir)
			if lost, invented := w.lost(n, got), w.invented(n, got); len(lost)+len(invented) > 0 {
				t.Errorf("power loss after %d of %d operations: lost %.300q, invented %.300q", n, d.Now(), lost, invented)
			}
			added := restart(t, dir, left%4 == 0)
			got = linesIn(t, dir)
			if lost := w.lost(n, got); len(lost) > 0 || !got[added] {
				t.Errorf("power loss after %d of %d operations: after a restart %.300q are lost; its line is there: %t", n, d.Now(), lost, got[added])
			}
			found += len(got)
			must(t, os.RemoveAll(dir))
		}
	}
	t.Logf("%d states: %d lines found", *powerLossStates, found)
}

// The test above finds a sink that does not sync, or does not sync its directory.
func TestPowerLossFindsMissingSync(t *testing.T) {
	for name, missing := range map[string]disktest.Kind{"files": disktest.SyncFile, "directories": disktest.SyncDir} {
		d := disktest.NewRecorder(t.TempDir())
		w := use(t, d)
		d.Undo(missing)
		random := rand.New(rand.NewPCG(1, 1))
		lost := 0
		for range 20 {
			n := d.Now()/2 + random.IntN(d.Now()/2)
			dir := t.TempDir()
			must(t, d.PowerLoss(random, n, dir))
			lost += len(w.lost(n, linesIn(t, dir)))
		}
		if lost == 0 {
			t.Errorf("without the syncs of %s nothing is lost", name)
		}
	}
}
