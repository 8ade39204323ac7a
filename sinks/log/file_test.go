package log_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/log"
)

const errNoSpace = syscall.ENOSPC

func newFile(t *testing.T, path string, opts log.FileOptions) *log.Sink {
	t.Helper()
	sink, err := log.NewFile(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return sink
}

func TestNewFileRefusesWhatCannotWork(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		path string
		opts log.FileOptions
		want string
	}{
		"no path":           {"", log.FileOptions{}, "path"},
		"a directory":       {dir, log.FileOptions{}, "directory"},
		"no directory":      {filepath.Join(dir, "none", "audit.log"), log.FileOptions{}, "no such file"},
		"a negative size":   {filepath.Join(dir, "a.log"), log.FileOptions{MaxSizeMB: -1}, "MaxSizeMB"},
		"fsync of a device": {os.DevNull, log.FileOptions{Fsync: true}, "Fsync"},
	} {
		sink, err := log.NewFile(test.path, test.opts)
		if err == nil || sink != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want %q in it", name, err, test.want)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("a refused file was left behind: %v", left)
	}
}

func TestFileIsPrivateAndAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for range 2 {
		sink := newFile(t, path, log.FileOptions{Options: log.Options{Component: "proxy"}})
		if err := sink.Write(t.Context(), egressEvent(denied)); err != nil {
			t.Fatal(err)
		}
		if got := sink.String(); got != "log("+path+")" || sink.Level() != auditing.LevelAccepted {
			t.Errorf("it is %s, %s", got, sink.Level())
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "\n") != 2 {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
}

func TestUnfinishedLineIsEndedOnOpening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte(`{"level":"info","ts":"20`), 0o600); err != nil {
		t.Fatal(err)
	}
	sink := newFile(t, path, log.FileOptions{})
	ae := egressEvent(denied)
	if err := sink.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[1], "{") || !strings.Contains(lines[1], ae.Name) {
		t.Errorf("the file holds %q", text)
	}
}

func TestFsyncedFileIsDurableAfterRotation(t *testing.T) {
	for _, compress := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "audit.log")
		sink := newFile(t, path, log.FileOptions{Fsync: true, MaxSizeMB: 1, Compress: compress})
		if sink.Level() != auditing.LevelDurable {
			t.Errorf("its level is %s", sink.Level())
		}
		names := fill(t, sink, 2<<20)
		must(t, sink.Close(t.Context()))
		if n := missing(t, path, names); n > 0 {
			t.Errorf("with compress %t, %d of %d events are missing", compress, n, len(names))
		}
		files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
		packed, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.gz"))
		if len(files) < 3 || compress != (len(packed) == len(files)-1) {
			t.Errorf("with compress %t, there are %v", compress, files)
		}
	}
}

// logrotate and people move files; the event that went with the file must not
// pass for durable, and the next one is in the new file.
func TestWriteToMovedFileFailsOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	sink := newFile(t, path, log.FileOptions{Fsync: true})
	if err := sink.Write(t.Context(), egressEvent(denied)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	ae := egressEvent(denied)
	if err := sink.Write(t.Context(), ae); err == nil || !strings.Contains(err.Error(), "moved") {
		t.Errorf("the write into a file that is gone gave %v", err)
	}
	if err := sink.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || !bytes.Contains(text, []byte(ae.Name)) {
		t.Errorf("the new file holds %q, %v", text, err)
	}
}

func TestMissingDirectoryFailsWritesWithCause(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	sink := newFile(t, filepath.Join(dir, "audit.log"), log.FileOptions{Fsync: true})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := sink.Write(t.Context(), egressEvent(denied))
	if err == nil || !errors.Is(err, auditing.ErrAuditWrite) {
		t.Errorf("the error is %v", err)
	}
}

func TestRotationUnderManyWritersLosesNothing(t *testing.T) {
	for name, opts := range map[string]log.FileOptions{
		"plain":      {MaxSizeMB: 1},
		"compressed": {MaxSizeMB: 1, Compress: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			sink := newFile(t, path, opts)
			const writers, each = 64, 150
			var wg sync.WaitGroup
			var written atomic.Int64
			for range writers {
				wg.Go(func() {
					for range each {
						ae := egressEvent(denied)
						ae.Spec.Reason = strings.Repeat("r", 900)
						if err := sink.Write(t.Context(), ae); err != nil {
							t.Error(err)
							return
						}
						written.Add(1)
					}
				})
			}
			wg.Wait()
			if err := sink.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
			if len(names) < 5 {
				t.Errorf("there were too few rotations: %v", names)
			}
			seen := map[string]int{}
			for _, ae := range readEvents(t, path) {
				seen[ae.Name]++
			}
			if len(seen) != writers*each || int(written.Load()) != writers*each {
				t.Errorf("%d events are in the files, %d were written, want %d", len(seen), written.Load(), writers*each)
			}
			for name, n := range seen {
				if n != 1 {
					t.Errorf("%s is there %d times", name, n)
				}
			}
		})
	}
}

func TestLineLargerThanMaxSizeIsPermanentError(t *testing.T) {
	sink := newFile(t, filepath.Join(t.TempDir(), "audit.log"), log.FileOptions{MaxSizeMB: 1})
	ae := egressEvent(denied)
	ae.Annotations = map[string]string{"example.com/blob": strings.Repeat("\x01", 200<<10)}
	err := sink.Write(t.Context(), ae)
	if class, _ := driver.ClassOf(err); class != auditing.ClassPermanent || !strings.Contains(err.Error(), "MaxSizeMB") {
		t.Errorf("the error is %v", err)
	}
}

func TestPipeNeedsAReaderBeforeItIsOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := log.NewFile(path, log.FileOptions{}); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("without a reader the error is %v", err)
	}
	reader, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	sink := newFile(t, path, log.FileOptions{})
	ae := egressEvent(denied)
	if err := sink.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 4096)
	n, err := reader.Read(text)
	if err != nil || !bytes.Contains(text[:n], []byte(ae.Name)) {
		t.Errorf("the pipe gave %q, %v", text[:n], err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("the pipe became %v, %v", info, err)
	}
}

func readEvents(t *testing.T, path string) []v1alpha1.AuditEvent {
	t.Helper()
	text, err := log.ReadEvents(path)
	if err != nil {
		t.Fatal(err)
	}
	events, err := log.ParseEvents(text)
	if err != nil {
		t.Fatal(err)
	}
	return events
}
