package spool_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/recordlog"
	"github.com/paddock-dev/audit/sinks/spool"
)

// leftBehind returns a directory in which n events wait, in one segment.
func leftBehind(t *testing.T, n int) (dir, segment string, names []string) {
	t.Helper()
	dir = t.TempDir()
	r := &sinktest.Recorder{}
	r.FailWith(errors.New("away"))
	s := open(t, dir, r, quick())
	names = mustWrite(t, s, "ae", n)
	abandon(s)
	segments, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments %v (%v), want one", segments, err)
	}
	return dir, segments[0], names
}

// reopen opens dir, drains it, and returns what was delivered and what was reported.
func reopen(t *testing.T, dir string) (delivered []string, damage []spool.Damage) {
	t.Helper()
	r := &sinktest.Recorder{}
	var h heard
	disk := &spool.FaultyDisk{Unsynced: true}
	s := open(t, dir, r, disk.On(h.listen(quick())))
	drain(t, s)
	if h.failures() > 0 {
		t.Errorf("on the way to a sink that takes everything there were failures: %v", h.errs)
	}
	return namesIn(r), h.damages()
}

// copyOf makes a directory that holds the one segment alone.
func copyOf(t *testing.T, dir, segment string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, "copy")
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, filepath.Base(segment)), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlippedBitCostsAtMostItsRecord(t *testing.T) {
	t.Parallel()
	_, segment, names := leftBehind(t, 3)
	whole, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for at := range whole {
		flipped := slices.Clone(whole)
		flipped[at] ^= 1 << (at % 8)
		lost := recordAt(whole, at)
		want := slices.Delete(slices.Clone(names), lost, lost+1)
		delivered, damage := reopen(t, copyOf(t, dir, segment, flipped))
		if !slices.Equal(delivered, want) || len(damage) != 1 {
			t.Fatalf("with a bit flipped at %d of %d: delivered %v, want %v; reported %v", at, len(whole), delivered, want, damage)
		}
		saved, err := os.ReadFile(damage[0].SavedAs)
		if err != nil || !bytes.Equal(saved, flipped[damage[0].Offset:damage[0].Offset+damage[0].Bytes]) {
			t.Fatalf("with a bit flipped at %d: the copy differs (%v)", at, err)
		}
	}
	t.Logf("%d positions, 3 records: 2 delivered and 1 set aside and reported at each", len(whole))
}

// recordAt says in which record of an undamaged segment a byte is.
func recordAt(data []byte, at int) (index int) {
	for s := range recordlog.Steps(data) {
		if s.End <= at {
			index++
		}
	}
	return index
}

// startOf returns where that record begins.
func startOf(data []byte, at int) (begin int) {
	for s := range recordlog.Steps(data) {
		if s.Start <= at {
			begin = s.Start
		}
	}
	return begin
}

func TestCutSegmentCostsAtMostTheCutRecord(t *testing.T) {
	t.Parallel()
	_, segment, names := leftBehind(t, 3)
	whole, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const stride = 7
	for at := 0; at < len(whole); at += stride {
		for _, behind := range []int{0, 5000}[:1+at%2] { // nothing, or the zeros of a longer file
			content := append(slices.Clone(whole[:at]), make([]byte, behind)...)
			delivered, damage := reopen(t, copyOf(t, dir, segment, content))
			if want := names[:recordAt(whole, at)]; !slices.Equal(delivered, want) {
				t.Fatalf("cut at %d: delivered %v, want %v", at, delivered, want)
			}
			torn := at != startOf(whole, at)
			if torn != (len(damage) == 1) || torn && !damage[0].Torn {
				t.Fatalf("cut at %d: reported %v", at, damage)
			}
		}
	}
}

func TestARecordThatHoldsNoEventIsSetAside(t *testing.T) {
	dir := t.TempDir()
	content := recordlog.AppendRecord(nil, 1, time.Now(), []byte(`{"spec": 7}`))
	segment := filepath.Join(dir, "00000000000000000001.seg")
	path := copyOf(t, dir, segment, content)
	delivered, damage := reopen(t, path)
	if len(delivered) != 0 || len(damage) != 1 || damage[0].Err == nil || !strings.Contains(damage[0].String(), "no event") {
		t.Errorf("delivered %v, reported %v", delivered, damage)
	}
}

func TestDamageThatIsDeliveredAlreadyIsNotReported(t *testing.T) {
	dir := t.TempDir()
	r := &sinktest.Recorder{}
	s := open(t, dir, r, quick())
	mustWrite(t, s, "ae", 3)
	eventually(t, "three are delivered", func() bool { return len(r.Events()) == 3 })
	r.FailWith(errors.New("away"))
	late := mustWrite(t, s, "late", 1)
	abandon(s)
	segments, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments %v (%v), want one", segments, err)
	}
	flip(t, segments[0], 100)
	delivered, damage := reopen(t, dir)
	if !slices.Equal(delivered, late) || len(damage) != 0 {
		t.Errorf("delivered %v, want %v; reported %v", delivered, late, damage)
	}
}

func flip(t *testing.T, path string, at int) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[at] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedProgressRepeatsAndLosesNone(t *testing.T) {
	dir := t.TempDir()
	r := &sinktest.Recorder{}
	s := open(t, dir, r, quick())
	names := mustWrite(t, s, "ae", 3)
	eventually(t, "three are delivered", func() bool { return len(r.Events()) == 3 })
	r.FailWith(errors.New("away"))
	names = append(names, mustWrite(t, s, "late", 1)...)
	abandon(s)
	path := filepath.Join(dir, "progress")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, info.Size()), 0o600); err != nil {
		t.Fatal(err)
	}
	if delivered, _ := reopen(t, dir); !slices.Equal(delivered, names) {
		t.Errorf("delivered %v, want %v", delivered, names)
	}
}
