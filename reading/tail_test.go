package reading_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/reading"
)

// following is what a Follow has yielded so far.
type following struct {
	t      testing.TB
	mu     sync.Mutex
	names  []string
	errs   []error
	news   chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}
}

func follow(t testing.TB, paths ...string) *following {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &following{t: t, news: make(chan struct{}, 1), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		for r, err := range reading.Files("files", paths...).Follow(ctx, &reading.Query{}) {
			f.mu.Lock()
			if err != nil {
				f.errs = append(f.errs, err)
			} else {
				f.names = append(f.names, r.Event.Name)
			}
			f.mu.Unlock()
			select {
			case f.news <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(f.stop)
	return f
}

func (f *following) stop() {
	f.cancel()
	<-f.ended
}

// until waits for a condition on what has come.
func (f *following) until(what string, is func() bool) {
	f.t.Helper()
	late := time.After(time.Minute)
	for {
		f.mu.Lock()
		done := is()
		f.mu.Unlock()
		if done {
			return
		}
		select {
		case <-f.news:
		case <-late:
			f.cancel()
			<-f.ended
			f.t.Fatalf("%s did not come: %d events, %.200v, errors %v", what, len(f.names), f.names, f.errs)
		}
	}
}

// events waits for exactly these events, in any order, each once.
func (f *following) events(all []*v1alpha1.AuditEvent) {
	f.t.Helper()
	f.until(fmt.Sprintf("%d events", len(all)), func() bool { return len(f.names) >= len(all) })
	f.mu.Lock()
	defer f.mu.Unlock()
	got, want := slices.Sorted(slices.Values(f.names)), namesOf(all)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		f.t.Fatalf("%d events, want %d: %.300v", len(got), len(want), got)
	}
}

func (f *following) error(is func(error) bool) {
	f.t.Helper()
	f.until("the error", func() bool { return slices.ContainsFunc(f.errs, is) })
}

func appendTo(t testing.TB, path string, text []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err == nil {
		_, err = file.Write(text)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestFollowYieldsWhatIsAppended(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	all := events(t, 30)
	f := follow(t, path)
	f.error(func(err error) bool { return errors.Is(err, fs.ErrNotExist) })
	write(t, path, logged(t, all[:10]...))
	f.events(all[:10])
	line := logged(t, all[10])
	appendTo(t, path, line[:100])
	appendTo(t, path, []byte{}) // the rest comes later
	appendTo(t, path, line[100:])
	appendTo(t, path, logged(t, all[11:20]...))
	f.events(all[:20])
	appendTo(t, path, []byte("no event\n"))
	f.error(func(err error) bool {
		var foreign *reading.Foreign
		return errors.As(err, &foreign) && foreign.First == path+":21" && foreign.Count == 1
	})
	appendTo(t, path, logged(t, all[20:]...))
	f.events(all)
	if len(f.errs) != 2 {
		t.Errorf("errors %v", f.errs)
	}
}

func TestFollowWaitsForTheRestOfALine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	all := events(t, 2)
	line := logged(t, all[1])
	write(t, path, logged(t, all[0]), line[:len(line)/2])
	f := follow(t, path)
	f.events(all[:1])
	appendTo(t, path, line[len(line)/2:])
	f.events(all)
	f.stop()
	if len(f.errs) > 0 {
		t.Errorf("errors %v", f.errs)
	}
}

// A log that others rotate by renaming, whose writer goes on with the old file for a while.
func TestFollowSurvivesRotationByRename(t *testing.T) {
	t.Parallel()
	for name, pattern := range map[string]string{"named": "audit.log", "pattern": "audit.log*"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "audit.log")
			all := events(t, 50)
			write(t, path, logged(t, all[:10]...))
			f := follow(t, filepath.Join(dir, pattern))
			f.events(all[:10])
			if err := os.Rename(path, path+".1"); err != nil {
				t.Fatal(err)
			}
			appendTo(t, path+".1", logged(t, all[10:20]...))
			write(t, path, logged(t, all[20:30]...))
			f.events(all[:30])
			appendTo(t, path+".1", logged(t, all[30:40]...))
			f.events(all[:40])
			write(t, path+".1.gz", gzipped(t, logged(t, slices.Concat(all[:20], all[30:40])...)))
			if err := os.Remove(path + ".1"); err != nil {
				t.Fatal(err)
			}
			appendTo(t, path, logged(t, all[40:]...))
			f.events(all)
			f.stop()
			f.events(all)
		})
	}
}

func TestFollowSurvivesCopyTruncate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	all := events(t, 40)
	write(t, path, logged(t, all[:10]...))
	f := follow(t, path+"*")
	f.events(all[:10])
	// Five more came before the copy. A copy that is looked at before it is whole is taken for another file.
	write(t, filepath.Join(dir, "copy"), logged(t, all[:15]...))
	if err := os.Rename(filepath.Join(dir, "copy"), path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, path, logged(t, all[15:17]...))
	f.events(all[:17])
	// So many come that the file is longer than it was, before the next look.
	write(t, path, logged(t, all[17:39]...))
	f.events(all[:39])
	appendTo(t, path, logged(t, all[39]))
	f.events(all)
}

func TestFollowReadsTheStandardInput(t *testing.T) {
	w := standardInput(t)
	all := events(t, 20)
	f := follow(t, "-")
	for i := range 2 {
		if _, err := w.Write(logged(t, all[10*i:10*i+10]...)); err != nil {
			t.Fatal(err)
		}
		f.events(all[:10*i+10])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	<-f.ended // there is nothing else to wait for
}

func TestFollowReportsWhatIsNoFileOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	all := events(t, 2)
	path := filepath.Join(dir, "audit.log")
	write(t, path, logged(t, all[0]))
	f := follow(t, dir, path)
	f.error(func(err error) bool { return errors.Is(err, disk.ErrIrregular) })
	f.events(all[:1])
	appendTo(t, path, logged(t, all[1]))
	f.events(all)
	f.stop()
	if len(f.errs) != 1 {
		t.Errorf("errors %v", f.errs)
	}
}
