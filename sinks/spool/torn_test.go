package spool_test

import (
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

// crashed returns a directory with one event that was confirmed, ae-0, and behind it two
// records of one write that a crash has cut: the disk has stored a part of the blocks.
// change is given the bytes of the two, which begin at the offset at.
func crashed(t *testing.T, change func(second, third []byte)) (dir string) {
	t.Helper()
	dir, segment, _ := leftBehind(t, 1)
	content, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	var payload []byte
	for s := range recordlog.Steps(content) {
		payload = s.Payload
	}
	second := recordlog.AppendRecord(nil, 2, time.Now(), payload)
	third := recordlog.AppendRecord(nil, 3, time.Now(), payload)
	change(second, third)
	mustPut(t, slices.Concat(content, second, third), segment)
	return dir
}

func TestWriteCutByCrashIsTornNotDamaged(t *testing.T) {
	for name, change := range map[string]func(second, third []byte){
		"the first block is missing":  func(second, _ []byte) { clear(second) },
		"a part of it is missing":     func(second, _ []byte) { clear(second[40:]) },
		"the last record has a hole":  func(_, third []byte) { clear(third[40:60]) },
		"both records have a hole":    func(second, third []byte) { clear(second[40:60]); clear(third[40:60]) },
		"the end of both is missing":  func(second, third []byte) { clear(second[40:]); clear(third) },
		"the head of both is missing": func(second, third []byte) { clear(second[:40]); clear(third[:40]) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := crashed(t, change)
			if sum, err := spool.Stats(dir); err != nil || sum.Damaged != 0 {
				t.Errorf("Stats: %+v, %v, want no damage", sum, err)
			}
			delivered, damage := reopen(t, dir)
			if len(delivered) == 0 || len(damage) == 0 {
				t.Errorf("delivered %v and reported %v, want the event and the torn write", delivered, damage)
			}
			for _, d := range damage {
				if !d.Torn {
					t.Errorf("reported %v, want it as torn", d)
				}
			}
		})
	}
}

func TestDamageToAConfirmedRecordIsNotTorn(t *testing.T) {
	for _, at := range []int{100, -20} { // in the first record, and in the last
		dir, segment, _ := leftBehind(t, 3)
		if at < 0 {
			info, err := os.Stat(segment)
			if err != nil {
				t.Fatal(err)
			}
			at += int(info.Size())
		}
		flip(t, segment, at)
		if _, damage := reopen(t, dir); len(damage) != 1 || damage[0].Torn {
			t.Errorf("a bit flipped at %d: reported %v, want one damage", at, damage)
		}
	}
}

func TestTornEndIsReportedOnceOverRestarts(t *testing.T) {
	for name, dir := range map[string]string{
		"hole":      crashed(t, func(second, _ []byte) { clear(second) }),
		"cut short": crashed(t, func(_, third []byte) { clear(third[60:]) }),
	} {
		var h heard
		for range 3 {
			r := &sinktest.Recorder{}
			r.FailWith(errors.New("away"))
			s := open(t, dir, r, h.listen(quick()))
			before := h.failures()
			mustWrite(t, s, "later", 1)
			eventually(t, "it has read everything", func() bool { return h.failures() > before+3 })
			abandon(s)
		}
		if d := h.damages(); len(d) != 1 || !d[0].Torn {
			t.Errorf("%s: reported %v, want one torn end", name, d)
		}
	}
}

func TestNewMakesTheNamesOfItsDirectoriesDurable(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "a", "b")
	disk := &spool.FaultyDisk{}
	var synced []string
	disk.Set(spool.Fault{On: func(op, path string) error {
		if op == "syncdir" && !strings.HasPrefix(path, dir) {
			synced = append(synced, path)
		}
		return nil
	}})
	s := open(t, dir, &sinktest.Recorder{}, disk.On(quick()))
	disk.Set(spool.Fault{})
	drain(t, s)
	for _, want := range []string{parent, filepath.Join(parent, "a")} {
		if !slices.Contains(synced, want) {
			t.Errorf("synced %v, want %s as well", synced, want)
		}
	}
}
