package log_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/sinks/log"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// missing returns how many of the events with these names are neither in the file at path
// nor in a backup of it.
func missing(t *testing.T, path string, names []string) (n int) {
	t.Helper()
	stored := map[string]bool{}
	for _, ae := range readEvents(t, path) {
		stored[ae.Name] = true
	}
	for _, name := range names {
		if !stored[name] {
			n++
		}
	}
	return n
}

// writeMany writes n events. It returns the names of the confirmed events and the error of
// the last write that failed.
func writeMany(t *testing.T, sink *log.Sink, n int) (confirmed []string, failed error) {
	t.Helper()
	for range n {
		ae := egressEvent(denied)
		if err := sink.Write(t.Context(), ae); err != nil {
			failed = err
			continue
		}
		confirmed = append(confirmed, ae.Name)
	}
	return confirmed, failed
}

func TestConfirmedLineIsInFileAtItsPath(t *testing.T) {
	acts := map[string]func(path string) error{
		"deleted": os.Remove,
		"moved":   func(path string) error { return os.Rename(path, path+".old") },
		"replaced": func(path string) error {
			return errors.Join(os.WriteFile(path+"~", []byte("{}\n"), 0o600), os.Rename(path+"~", path))
		},
		"moved, created with a line": func(path string) error {
			return errors.Join(os.Rename(path, path+"~"), os.WriteFile(path, []byte("{}\n"), 0o600), os.Remove(path+"~"))
		},
	}
	for act, do := range acts {
		for _, fsync := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, fsync %t", act, fsync), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "audit.log")
				sink := newFile(t, path, log.FileOptions{Fsync: fsync})
				_, err := writeMany(t, sink, 1)
				must(t, err, do(path))
				confirmed, reported := writeMany(t, sink, 50)
				if act == "moved" {
					must(t, os.Remove(path+".old"))
				}
				if n := missing(t, path, confirmed); n > 0 || len(confirmed) < 49 {
					t.Errorf("%d of %d confirmed events are in no file", n, len(confirmed))
				}
				if reported == nil || !strings.Contains(reported.Error(), "since") {
					t.Errorf("what may have been lost was reported as %v", reported)
				}
			})
		}
	}
}

func TestRepointedLinkMovesLogToItsNewTarget(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.Mkdir(at("a"), 0o700), os.Mkdir(at("b"), 0o700), os.Symlink("a", at("current")))
	sink := newFile(t, at("current/audit.log"), log.FileOptions{})
	_, err := writeMany(t, sink, 1)
	must(t, err, os.Symlink("b", at("next")), os.Rename(at("next"), at("current")))
	confirmed, _ := writeMany(t, sink, 50)
	if n := missing(t, at("b/audit.log"), confirmed); n > 0 || len(confirmed) != 49 {
		t.Errorf("%d of %d confirmed events are not where the link points to", n, len(confirmed))
	}
}

func TestDanglingLinkIsKeptByRotation(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.Mkdir(at("data"), 0o700), os.Symlink("data/audit.log", at("audit.log")))
	sink := newFile(t, at("audit.log"), log.FileOptions{MaxSizeMB: 1})
	fill(t, sink, 1<<20)
	if info, err := os.Lstat(at("audit.log")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info, err)
	}
}

// fill writes lines of more than size bytes in all.
func fill(t *testing.T, sink *log.Sink, size int) (names []string) {
	t.Helper()
	for written := 0; written <= size; written += 31 * 4096 {
		ae := egressEvent(denied)
		ae.Spec.Detail = map[string]string{}
		for k := range 31 {
			ae.Spec.Detail[string(rune('a'+k))] = strings.Repeat("x", 4096)
		}
		must(t, sink.Write(t.Context(), ae))
		names = append(names, ae.Name)
	}
	return names
}

func TestCopytruncateLeavesNoNULBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	sink := newFile(t, path, log.FileOptions{MaxSizeMB: 1})
	fill(t, sink, 1<<20) // into a second file
	must(t, os.Truncate(path, 0))
	confirmed, err := writeMany(t, sink, 3)
	must(t, err)
	text, err := os.ReadFile(path)
	must(t, err)
	if n := bytes.Count(text, []byte{0}); n > 0 {
		t.Errorf("the file has %d NUL bytes in front of %d events", n, len(confirmed))
	}
}

func TestSecondSinkOnSameFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	path := at("audit.log")
	first, err := log.NewFile(path, log.FileOptions{MaxSizeMB: 1})
	must(t, err, os.Symlink("audit.log", at("link")), os.Symlink(dir, at("here")), os.Link(path, at("hard")))
	spellings := []string{path, dir + "/../" + filepath.Base(dir) + "/audit.log", at("link"), at("here/audit.log"), at("hard")}
	for _, spelling := range spellings {
		refusesSecond(t, spelling)
	}
	fill(t, first, 1<<20) // after a rotation
	for _, spelling := range spellings[:4] {
		refusesSecond(t, spelling)
	}
	must(t, first.Close(t.Context()))
	newFile(t, path, log.FileOptions{})
}

func refusesSecond(t *testing.T, path string) {
	t.Helper()
	second, err := log.NewFile(path, log.FileOptions{})
	if err == nil {
		t.Errorf("a second sink on %s was opened", path)
		must(t, second.Close(t.Context()))
	} else if !strings.Contains(err.Error(), "another") {
		t.Errorf("the refusal of %s is %v", path, err)
	}
}

// secondEnv names the file that the test opens in its second process.
const secondEnv = "AUDIT_TEST_SECOND_LOG"

func TestSecondProcessOnSameFileIsRefused(t *testing.T) {
	if path := os.Getenv(secondEnv); path != "" {
		refusesSecond(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	sink := newFile(t, path, log.FileOptions{})
	second := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$") //nolint:gosec // this test itself
	second.Env = append(os.Environ(), secondEnv+"="+path)
	if out, err := second.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := writeMany(t, sink, 1); err != nil {
		t.Error(err)
	}
}

func TestFIFOInPlaceOfFileHangsNeitherWriteNorClose(t *testing.T) {
	for _, fsync := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "audit.log")
		sink, err := log.NewFile(path, log.FileOptions{Fsync: fsync})
		must(t, err, os.Remove(path), syscall.Mkfifo(path, 0o600))
		done := make(chan error, 2)
		go func() {
			for range 2 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				if err := sink.Write(ctx, egressEvent(denied)); err == nil {
					done <- errors.New("a write was confirmed")
				}
				cancel()
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = sink.Close(ctx)
			done <- nil
		}()
		select {
		case err := <-done:
			must(t, err)
		case <-time.After(10 * time.Second):
			t.Fatalf("with fsync %t, Write or Close still hangs after 10 s", fsync)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
			t.Errorf("the FIFO became %v, %v", info, err)
		}
	}
}

func TestTornLineIsNotEndedInFileAfterRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	must(t, os.WriteFile(path, bytes.Repeat([]byte("x"), 1<<20), 0o600))
	sink := newFile(t, path, log.FileOptions{MaxSizeMB: 1})
	_, err := writeMany(t, sink, 1)
	must(t, err)
	if text, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(text, []byte("{")) {
		t.Errorf("the new file begins with %.10q, %v", text, err)
	}
}

func TestReopenAfterRenameKeepsEveryLine(t *testing.T) {
	for _, fsync := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "audit.log")
		sink := newFile(t, path, log.FileOptions{Fsync: fsync})
		var names []string
		for n := range 3 {
			confirmed, err := writeMany(t, sink, 10)
			must(t, err, os.Rename(path, fmt.Sprintf("%s.%d.log", path, n)), sink.Reopen(t.Context()))
			names = append(names, confirmed...)
		}
		confirmed, err := writeMany(t, sink, 10)
		must(t, err, sink.Reopen(t.Context())) // harmless without a rename
		names = append(names, confirmed...)
		if n := missing(t, path, names); n > 0 || len(readEvents(t, path)) != len(names) {
			t.Errorf("with fsync %t, %d of %d events are missing, or some are there twice", fsync, n, len(names))
		}
		if text, err := os.ReadFile(path); err != nil || bytes.Count(text, []byte("\n")) != 10 {
			t.Errorf("the file after Reopen holds %q, %v", text, err)
		}
		must(t, sink.Close(t.Context()))
		if err := sink.Reopen(t.Context()); !isClosed(err) {
			t.Errorf("Reopen after Close gave %v", err)
		}
	}
}

func TestReopenAndCloseReportRemovedFile(t *testing.T) {
	for name, end := range map[string]func(*log.Sink) error{
		"Reopen": func(s *log.Sink) error { return s.Reopen(t.Context()) },
		"Close":  func(s *log.Sink) error { return s.Close(t.Context()) },
	} {
		path := filepath.Join(t.TempDir(), "audit.log")
		sink := newFile(t, path, log.FileOptions{})
		_, err := writeMany(t, sink, 1)
		must(t, err, os.Remove(path))
		if err := end(sink); err == nil || !strings.Contains(err.Error(), "removed") {
			t.Errorf("%s gave %v", name, err)
		}
		if name == "Close" {
			continue
		}
		confirmed, err := writeMany(t, sink, 1)
		must(t, err)
		if missing(t, path, confirmed) > 0 {
			t.Error("a line after Reopen is in no file")
		}
	}
}

func TestReopenOfOtherOutputsDoesNothing(t *testing.T) {
	must(t, log.Stderr(log.Options{}).Reopen(t.Context()), newWriterSink(t, new(bytes.Buffer)).Reopen(t.Context()))
}

func TestRotationGoesOnAfterCrashWithinIt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	sink := newFile(t, path, log.FileOptions{MaxSizeMB: 1, Compress: true})
	names, err := writeMany(t, sink, 10)
	must(t, err, sink.Close(t.Context()))
	// A backup has its name already, and the next file has not got its own.
	must(t, os.Link(path, filepath.Join(dir, "audit-2026-03-01T10-00-00.000-size.log")))
	must(t, os.WriteFile(filepath.Join(dir, ".audit.log.next"), []byte("torn"), 0o400))
	sink = newFile(t, path, log.FileOptions{MaxSizeMB: 1, Compress: true})
	names = append(names, fill(t, sink, 1<<20)...)
	must(t, sink.Close(t.Context()))
	if n := missing(t, path, names); n > 0 {
		t.Errorf("%d of %d events are missing", n, len(names))
	}
}

func TestRotatingSinksNeverShareFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	sink := newFile(t, path, log.FileOptions{MaxSizeMB: 1})
	stop, intruded := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { intruded <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if second, err := log.NewFile(path, log.FileOptions{}); err == nil {
				n++
				_ = second.Close(context.Background())
			}
		}
	}()
	names := fill(t, sink, 20<<20)
	close(stop)
	if n := <-intruded; n > 0 {
		t.Errorf("a second sink was opened %d times during rotations", n)
	}
	if n := missing(t, path, names); n > 0 {
		t.Errorf("%d of %d events are missing", n, len(names))
	}
}
