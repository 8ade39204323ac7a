package spool_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/recordlog"
	"github.com/paddock-dev/audit/sinks/spool"
)

// mustPut writes a file.
func mustPut(t *testing.T, content []byte, path ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path...), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestForeignSegmentIsSetAsideAndNoEventIsLost(t *testing.T) {
	for _, name := range []string{
		"18446744073709551615.seg", "00000000000000000000.seg", "00000000000000000001x.seg", "1.seg", "04611686018427387905.seg",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mustPut(t, nil, dir, name)
			r := &sinktest.Recorder{}
			var h heard
			s := open(t, dir, r, h.listen(quick()))
			want := mustWrite(t, s, "ae", 3)
			drain(t, s)
			mustHold(t, r, want)
			aside := filepath.Join(dir, "damaged", name)
			if d := h.damages(); len(d) != 1 || d[0].Torn || d[0].SavedAs != aside {
				t.Errorf("reported %v, want %s as damage", d, aside)
			}
			mustWrite(t, open(t, dir, r, h.listen(quick())), "again", 1)
			if d := h.damages(); len(d) != 1 {
				t.Errorf("after a restart reported %v, want it once", d)
			}
		})
	}
}

func TestForeignSegmentCountsAsDamageInStats(t *testing.T) {
	dir := t.TempDir()
	drain(t, open(t, dir, &sinktest.Recorder{}, quick()))
	mustPut(t, nil, dir, "18446744073709551615.seg")
	if sum, err := spool.Stats(dir); err != nil || sum.Damaged != 1 {
		t.Errorf("Stats: %+v, %v, want one damaged", sum, err)
	}
}

func TestForeignNumbersInDamagedLoseNoEvent(t *testing.T) {
	dir := t.TempDir()
	drain(t, open(t, dir, &sinktest.Recorder{}, quick()))
	mustPut(t, nil, dir, "damaged", "18446744073709551615-0.bin")
	r := &sinktest.Recorder{}
	s := open(t, dir, r, quick())
	want := mustWrite(t, s, "ae", 3)
	drain(t, s)
	mustHold(t, r, want)
}

func TestRecordOfAnImpossibleNumberIsDamage(t *testing.T) {
	for _, seq := range []uint64{0, 1<<64 - 1} {
		dir := t.TempDir()
		mustPut(t, recordlog.AppendRecord(nil, seq, time.Now(), []byte("{}")), dir, "00000000000000000001.seg")
		r := &sinktest.Recorder{}
		var h heard
		s := open(t, dir, r, h.listen(quick()))
		want := mustWrite(t, s, "ae", 3)
		drain(t, s)
		mustHold(t, r, want)
		if d := h.damages(); len(d) != 1 {
			t.Errorf("number %d: reported %v, want it as damage", seq, d)
		}
	}
}

func TestWriteFailsWhenTheNumbersAreUsedUp(t *testing.T) {
	dir := t.TempDir()
	mustPut(t, nil, dir, "04611686018427387904.seg")
	s := open(t, dir, &sinktest.Recorder{}, quick())
	if err := s.Write(t.Context(), event("ae")); !errors.Is(err, recordlog.ErrNumbers) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Write: %v, want that no number is left in %s", err, dir)
	}
}
