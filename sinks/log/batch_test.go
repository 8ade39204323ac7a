package log

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// scripted is an output that counts what it is asked to do, and takes so many bytes
// of a write until it is told otherwise; below 0, all of them.
type scripted struct {
	bytes.Buffer
	takes          int
	err, syncErr   error
	panics         bool
	writes, synced int
	longest        int
}

func (s *scripted) Write(p []byte) (int, error) {
	s.writes++
	s.longest = max(s.longest, len(p))
	if s.takes < 0 {
		return s.Buffer.Write(p)
	}
	n, _ := s.Buffer.Write(p[:min(s.takes, len(p))])
	if s.panics {
		panic("out of order")
	}
	return n, s.err
}

func (s *scripted) sync() error { s.synced++; return s.syncErr }

// batchOf returns events with names of their own, e-0 being the first.
func batchOf(tb testing.TB, n int) []*driver.Event {
	tb.Helper()
	events := make([]*driver.Event, n)
	for i := range events {
		events[i] = prepared(tb, newEvent(fmt.Sprintf("e-%d", i)))
	}
	return events
}

func lineOf(e *driver.Event) []byte { return appendLine(nil, quoted(defaultLogger), e) }

func textOf(events []*driver.Event) string {
	var text strings.Builder
	for _, e := range events {
		text.Write(lineOf(e))
	}
	return text.String()
}

func failed(errs []error) string {
	var text strings.Builder
	for _, err := range errs {
		class, _ := driver.ClassOf(err)
		if err == nil {
			class = "ok"
		}
		text.WriteString(string(class) + " ")
	}
	return strings.TrimSpace(text.String())
}

// bothContexts are one whose lines are written on the caller's goroutine, and one
// whose lines are not, where the output may block.
func bothContexts(t *testing.T) map[string]context.Context {
	t.Helper()
	cancellable, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return map[string]context.Context{"attached": context.Background(), "detached": cancellable}
}

func TestABatchIsWrittenAndSyncedAtOnce(t *testing.T) {
	for name, ctx := range bothContexts(t) {
		out := &scripted{takes: -1}
		sink := newLineSink("file", &lineWriter{to: out, sync: out.sync, mayBlock: true}, Options{})
		events := batchOf(t, batch)
		if errs := driver.Of(sink).Store(ctx, events); errs != nil {
			t.Fatal(errs)
		}
		if out.writes != 1 || out.synced != 1 {
			t.Errorf("%s: %d writes and %d syncs, want one of each", name, out.writes, out.synced)
		}
		if out.String() != textOf(events) {
			t.Errorf("%s: the lines are other than one by one", name)
		}
	}
}

func TestALongBatchIsWrittenInChunks(t *testing.T) {
	out := &scripted{takes: -1}
	sink := newLineSink("file", &lineWriter{to: out, sync: out.sync}, Options{})
	events := batchOf(t, 20)
	for _, i := range []int{4, 5, 11} {
		ae := newEvent(fmt.Sprintf("long-%d", i))
		ae.Annotations = map[string]string{"example.com/blob": strings.Repeat("x", 200<<10)}
		events[i] = prepared(t, ae)
	}
	if errs := driver.Of(sink).Store(t.Context(), events); errs != nil {
		t.Fatal(errs)
	}
	if out.String() != textOf(events) {
		t.Error("the lines are other than one by one")
	}
	if out.longest > maxChunk || out.writes != 3 || out.synced != out.writes {
		t.Errorf("%d writes of at most %d bytes, and %d syncs", out.writes, out.longest, out.synced)
	}
}

func TestEachLineOfATornBatchHasItsOutcome(t *testing.T) {
	full := syscall.ENOSPC
	for name, test := range map[string]struct {
		lines, bytes int // that the output takes; all lines have one length
		err, syncErr error
		panics       bool
		want         string
		cause        error
	}{
		"nothing":                   {0, 0, full, nil, false, "full full full full", full},
		"within the first":          {0, 40, full, nil, false, "full full full full", full},
		"behind the second":         {2, 0, full, nil, false, "ok ok full full", full},
		"within the third":          {2, 40, full, nil, false, "ok ok full full", full},
		"within the third, no word": {2, 40, nil, nil, false, "ok ok transient transient", io.ErrShortWrite},
		"all but the last newline":  {4, -1, full, nil, false, "ok ok ok full", full},
		"all":                       {4, 0, full, nil, false, "full full full full", full},
		"and the sync fails":        {2, 40, full, syscall.EIO, false, "full full full full", syscall.EIO},
		"a permanent error":         {1, 40, driver.Permanent(full), nil, false, "ok permanent transient transient", full},
		"a panic":                   {2, 40, nil, nil, true, "permanent transient transient transient", nil},
	} {
		for how, ctx := range bothContexts(t) {
			t.Run(name+" "+how, func(t *testing.T) {
				events := batchOf(t, 4)
				out := &scripted{takes: test.lines*len(lineOf(events[0])) + test.bytes, err: test.err, syncErr: test.syncErr, panics: test.panics}
				sink := newLineSink("file", &lineWriter{to: out, sync: out.sync, mayBlock: true}, Options{})
				errs := driver.Of(sink).Store(ctx, events)
				if got := failed(errs); got != test.want {
					t.Errorf("the outcomes are %q, want %q", got, test.want)
				}
				if err := errors.Join(errs...); test.cause != nil && !errors.Is(err, test.cause) {
					t.Errorf("the error is %v, want %v in it", err, test.cause)
				}
				// What failed is stored again, and every line is whole.
				out.takes, out.syncErr = -1, nil
				var again []*driver.Event
				for i, err := range errs {
					if err != nil {
						again = append(again, events[i])
					}
				}
				if errs := driver.Of(sink).Store(ctx, again); errs != nil {
					t.Fatal(errs)
				}
				whole := 0
				for l := range strings.Lines(out.String()) {
					if strings.Count(l, `"apiVersion"`) > 1 || l == "\n" && !test.panics {
						t.Errorf("a line is %q", l)
					}
					if strings.HasSuffix(l, "}}\n") {
						whole++
					}
				}
				if whole < len(events) {
					t.Errorf("%d lines are whole, want at least %d:\n%s", whole, len(events), out.String())
				}
			})
		}
	}
}

func TestTooLongLineFailsAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	sink, err := NewFile(path, FileOptions{MaxSizeMB: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close(t.Context())
	events := batchOf(t, 5)
	ae := newEvent("long")
	ae.Annotations = map[string]string{"example.com/blob": strings.Repeat("\x01", 200<<10)}
	events[2] = prepared(t, ae)
	if got := failed(driver.Of(sink).Store(t.Context(), events)); got != "ok ok permanent ok ok" {
		t.Errorf("the outcomes are %q", got)
	}
	text, err := os.ReadFile(path)
	if want := textOf(events[:2]) + textOf(events[3:]); err != nil || string(text) != want {
		t.Errorf("the file holds %.200q, %v", text, err)
	}
}

func TestBatchesRotateTheFileAtItsSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	sink, err := NewFile(path, FileOptions{MaxSizeMB: 1, Fsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close(t.Context())
	events := batchOf(t, 5000)
	for from := 0; from < len(events); from += 250 {
		if errs := driver.Of(sink).Store(t.Context(), events[from:from+250]); errs != nil {
			t.Fatal(errs)
		}
	}
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || info.Size() > megabyte || info.Size() < megabyte-maxChunk && name != path {
			t.Errorf("%s has %d bytes, %v", name, info.Size(), err)
		}
	}
	text, err := readAll(path)
	if err != nil || len(names) < 3 {
		t.Errorf("the files are %v, %v", names, err)
	}
	if got := mustParse(t, text); len(got) != len(events) {
		t.Errorf("%d events are in the files, want %d", len(got), len(events))
	}
}

func TestABatchBehindAHangingLineEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	out := &memory{held: release}
	sink, err := NewWriter(out, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for range 2 { // the one that hangs, and the one behind it
		errs := driver.Of(sink).Store(ctx, batchOf(t, 3))
		if got := failed(errs); got != "timeout timeout timeout" || !errors.Is(errs[2], context.DeadlineExceeded) {
			t.Errorf("the outcomes are %q", got)
		}
	}
	close(release)
	if err := sink.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := failed(driver.Of(sink).Store(t.Context(), batchOf(t, 3))); got != "closed closed closed" {
		t.Errorf("after Close the outcomes are %q", got)
	}
	if events, err := out.events(t.Context()); err != nil || len(events) != 3 {
		t.Errorf("%d events were written, %v", len(events), err)
	}
}

func TestACoreRefusesOneEventOfABatchAlone(t *testing.T) {
	var out bytes.Buffer
	sink, err := New(zapcore.NewCore(zapcore.NewJSONEncoder(encoderConfig()), zapcore.AddSync(&out), zapcore.WarnLevel), Options{})
	if err != nil {
		t.Fatal(err)
	}
	events := batchOf(t, 3)
	granted := newEvent("granted")
	granted.Spec.Decision = v1alpha1.AuditDecisionGranted
	events[1] = prepared(t, granted)
	if got := failed(driver.Of(sink).Store(t.Context(), events)); got != "ok permanent ok" {
		t.Errorf("the outcomes are %q", got)
	}
	if got := mustParse(t, out.Bytes()); len(got) != 2 {
		t.Errorf("%d lines were written", len(got))
	}
}

func TestAComponentThatIsNoLabelValueIsRefused(t *testing.T) {
	bad := Options{Component: "not a label"}
	path := filepath.Join(t.TempDir(), "audit.log")
	for name, open := range map[string]func() (*Sink, error){
		"core":   func() (*Sink, error) { return New(zapcore.NewNopCore(), bad) },
		"file":   func() (*Sink, error) { return NewFile(path, FileOptions{Options: bad}) },
		"writer": func() (*Sink, error) { return NewWriter(io.Discard, bad) },
	} {
		if sink, err := open(); sink != nil || err == nil || !strings.HasPrefix(err.Error(), "log: the component") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refused file was left behind")
	}
	for _, sink := range []*Sink{Stdout(bad), Stderr(bad)} {
		err := sink.Write(t.Context(), newEvent("e-1"))
		if class, _ := driver.ClassOf(err); class != auditing.ClassInvalid || !strings.Contains(err.Error(), "component") {
			t.Errorf("%s: the error is %v", sink, err)
		}
	}
}
