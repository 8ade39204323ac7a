package reading_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/reading"
)

func TestFilesBoundsLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	all := events(t, 3)
	padded := func(ae *v1alpha1.AuditEvent, size int) []byte {
		line := exported(ae)
		return append(append([]byte{'{'}, bytes.Repeat([]byte{' '}, size+1-len(line))...), line[1:]...)
	}
	const most = 4 << 20
	write(t, path, padded(all[0], most), padded(all[1], most+1), exported(all[1]), bytes.Repeat([]byte("x"), 3*most), []byte("\n"),
		padded(all[2], most), bytes.Repeat([]byte{'y'}, 2*most))
	got := read(t, reading.Files("files", path), &reading.Query{})
	got.wantEvents(t, all)
	if got.err != nil || len(got.foreign) != 1 || got.foreign[0].Count != 3 || got.foreign[0].First != path+":2" {
		t.Errorf("foreign %v, error %v", got.foreign, got.err)
	}
	if at := got.records[2].At; at != path+":5" {
		t.Errorf("the last event is at %s", at)
	}
}

func TestFilesReadsTheStandardInput(t *testing.T) {
	all := events(t, 300)
	w := standardInput(t)
	go func() {
		_, _ = w.Write(logged(t, all...))
		_ = w.Close()
	}()
	got := read(t, reading.Files("files", "-"), &reading.Query{})
	got.want(t, all)
	if at := got.records[7].At; at != "-:8" {
		t.Errorf("an event is at %s", at)
	}
}

// standardInput makes a pipe the standard input until the test ends. It returns the end to write to.
func standardInput(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = r
	t.Cleanup(func() { os.Stdin = before; _ = r.Close(); _ = w.Close() })
	return w
}

func TestFilesEndsWithItsContext(t *testing.T) {
	standardInput(t)
	for _, wait := range []time.Duration{0, 20 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		t.Cleanup(cancel)
		var last error
		for _, err := range reading.Files("files", "-").Read(ctx, &reading.Query{}) {
			last = err
		}
		if !errors.Is(last, context.DeadlineExceeded) {
			t.Errorf("the error is %v", last)
		}
	}
}

func TestFilesMayBeLeftEarly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	all := events(t, 100)
	write(t, path, bytes.Repeat(logged(t, all...), 100))
	for r, err := range reading.Files("files", path).Read(t.Context(), &reading.Query{}) {
		if err != nil || r.Event.Name != all[0].Name {
			t.Fatalf("%v, %v", r, err)
		}
		break
	}
}

// A log of 30 MB in which every event is taken; BenchmarkFilesMemory does the same with 300.
func TestFilesHoldsLittleInMemory(t *testing.T) {
	path, size := largeLog(t, 40_000)
	source := reading.Files("files", path)
	n := 0
	runtime.GC()
	most := peak(func() {
		for _, err := range source.Read(t.Context(), &reading.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
	})
	if n != 40_000 || most > 64<<20 {
		t.Errorf("%d events of %d bytes took %d MiB", n, size, most>>20)
	}
	t.Logf("%d MB took at most %d MiB", size/1_000_000, most>>20)
}

// Events of 250 KB, of which a run of the Sorter's file has four.
func TestSorterHoldsLittleOfLargeEvents(t *testing.T) {
	const n = 400
	sorter := reading.Sorter{Source: "files"}
	next := 0
	runtime.GC()
	most := peak(func() {
		for i := range n {
			ae := event(t, i*7%n) // in another order
			ae.Spec.Detail = map[string]string{"a": strings.Repeat("x", 250_000)}
			if err := sorter.Add(reading.NewRecord(ae, "files", "")); err != nil {
				t.Fatal(err)
			}
		}
		for r, err := range sorter.Sorted() {
			if err != nil || r.Event.Name != event(t, next).Name || len(r.Event.Spec.Detail["a"]) != 250_000 {
				t.Fatalf("event %d: %v", next, err)
			}
			next++
		}
	})
	if next != n || most > 24<<20 {
		t.Errorf("%d events took %d MiB", next, most>>20)
	}
	t.Logf("%d events took at most %d MiB", n, most>>20)
}

// generated is a source of events that are made as they are read.
type generated struct {
	name string
	n    int
	make func(i int) *v1alpha1.AuditEvent
}

func (g *generated) Name() string { return g.name }

func (g *generated) Read(context.Context, *reading.Query) iter.Seq2[*reading.Record, error] {
	return func(yield func(*reading.Record, error) bool) {
		for i := range g.n {
			if !yield(reading.NewRecord(g.make(i), g.name, ""), nil) {
				return
			}
		}
	}
}

// Two places hold 5,000 events of 20 KB, and a third one none.
func TestDiffHoldsLittleOfWhatIsMissing(t *testing.T) {
	const n = 5000
	large := func(i int) *v1alpha1.AuditEvent {
		ae := event(t, i)
		ae.Spec.Detail = map[string]string{"a": strings.Repeat("x", 20_000)}
		return ae
	}
	found := 0
	runtime.GC()
	most := peak(func() {
		for d, err := range reading.Diff(t.Context(), &reading.Query{}, reading.Tolerance{},
			&generated{"a", n, large}, &generated{"b", n, large}, &memory{name: "c"}) {
			if err != nil || d.Finding != reading.Missing || d.Source != "c" || len(d.Entry.Records) != 2 {
				t.Fatalf("%v: %v", d, err)
			}
			found++
		}
	})
	if found != n || most > 48<<20 {
		t.Errorf("%d missing events took %d MiB", found, most>>20)
	}
	t.Logf("%d missing events took at most %d MiB", n, most>>20)
}
