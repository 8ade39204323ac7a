package reading_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/sinks/spool"
)

// spooled returns the directory of a running spool that holds events: all of them wait, but
// for the first, which is a dead letter.
func spooled(t *testing.T, n int) (dir string, sink *spool.Sink) {
	t.Helper()
	dir = t.TempDir()
	next := &sinktest.Recorder{}
	next.FailNext(1, driver.Permanent(errors.New("401")))
	sink, err := spool.New(dir, next, spool.Options{Component: "proxy", SegmentBytes: 4 << 10, MinBackoff: time.Millisecond, MaxBackoff: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := sink.Write(t.Context(), event(t, i)); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			continue
		}
		for depth := int64(1); depth > 0; { // it is noted within a second that the first is no longer in the queue
			stats, err := spool.Stats(dir)
			if err != nil {
				t.Fatal(err)
			}
			depth = stats.Depth
			time.Sleep(time.Millisecond)
		}
		next.FailWith(errors.New("away"))
	}
	t.Cleanup(func() { _ = sink.Close(t.Context()) })
	return dir, sink
}

func TestSpoolReadsWhatWaitsBesideTheSink(t *testing.T) {
	t.Parallel()
	all := events(t, 50)
	dir, sink := spooled(t, 50)
	source := reading.Spool("spool", dir)
	got := read(t, source, &reading.Query{})
	got.want(t, all)
	if at := got.records[0].At; at != "dead letter 1-ae-00000000" {
		t.Errorf("the dead letter is at %q", at)
	}
	if at := got.records[1].At; at != "segment 1, waiting" || got.records[1].Source != "spool" {
		t.Errorf("the next event is at %q of %s", at, got.records[1].Source)
	}
	if at := got.records[49].At; at == "segment 1, waiting" || !strings.HasSuffix(at, ", waiting") {
		t.Errorf("the last event is at %q", at)
	}
	got = read(t, source, &reading.Query{Names: []string{"ae-00000007"}})
	got.want(t, all[7:8])

	if err := sink.Write(t.Context(), event(t, 50)); err != nil {
		t.Errorf("the sink stores no more: %v", err)
	}
	got = read(t, source, &reading.Query{})
	got.want(t, append(all, event(t, 50)))
}

func TestSpoolReadsRequeuedLetters(t *testing.T) {
	t.Parallel()
	dir, sink := spooled(t, 1)
	if err := sink.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := spool.Requeue(dir, "1-ae-00000000"); err != nil {
		t.Fatal(err)
	}
	got := read(t, reading.Spool("spool", dir), &reading.Query{})
	got.want(t, events(t, 1))
	if at := got.records[0].At; at != "requeued letter 1-ae-00000000" {
		t.Errorf("the letter is at %q", at)
	}
}

func TestSpoolReadsTheRestOfADamagedSegment(t *testing.T) {
	t.Parallel()
	dir, _ := spooled(t, 20)
	live, err := os.ReadFile(filepath.Join(dir, "00000000000000000001.seg"))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(live, []byte("number 2"))
	live[at]++
	for name, content := range map[string][]byte{
		"00000000000000000001.seg": live, "old.seg": []byte("x"), filepath.Join("dead", "9-x.json"): []byte("{"), filepath.Join("dead", "8-x.json"): []byte("{}"),
	} {
		write(t, filepath.Join(dir, name), content)
	}
	got := outcome{}
	// Until it is noted that the records are synced, the damage looks like that of a crash.
	for late := time.Now().Add(time.Minute); got.err == nil || !strings.Contains(got.err.Error(), "damaged"); {
		if got = read(t, reading.Spool("spool", dir), &reading.Query{}); time.Now().After(late) {
			t.Fatalf("the error is %v", got.err)
		}
		time.Sleep(time.Millisecond)
	}
	all := events(t, 20)
	got.wantEvents(t, append(all[:2:2], all[3:]...))
	var failed *reading.Failed
	if !errors.As(got.err, &failed) || failed.Source != "spool" {
		t.Fatalf("the error is %v", got.err)
	}
	for _, part := range []string{"00000000000000000001.seg: ", "old.seg", "dead letter 9-x", "dead letter 8-x has no event"} {
		if !strings.Contains(got.err.Error(), part) {
			t.Errorf("the error names no %s: %v", part, got.err)
		}
	}
}

func TestSpoolFailsWithoutItsDirectory(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{filepath.Join(t.TempDir(), "missing"), t.TempDir()} {
		if got := read(t, reading.Spool("spool", dir), &reading.Query{}); !errors.Is(got.err, fs.ErrNotExist) {
			t.Errorf("the error is %v", got.err)
		}
	}
}
