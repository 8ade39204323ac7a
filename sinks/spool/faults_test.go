package spool_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

// diskFaults are the ways in which a write to a segment can fail.
var diskFaults = []struct {
	name  string
	fault spool.Fault
	class auditing.Class
	cause error
}{
	{"no space", spool.Fault{On: refuse(syscall.ENOSPC, "write")}, auditing.ClassFull, syscall.ENOSPC},
	{"no quota", spool.Fault{On: refuse(syscall.EDQUOT, "write"), Short: 7}, auditing.ClassFull, syscall.EDQUOT},
	{"no space for half of it", spool.Fault{On: refuse(syscall.ENOSPC, "write"), Short: 50}, auditing.ClassFull, syscall.ENOSPC},
	{"short write without an error", spool.Fault{On: refuse(syscall.EIO, "write"), Short: -1}, auditing.ClassTransient, io.ErrShortWrite},
	{"I/O error of a write", spool.Fault{On: refuse(syscall.EIO, "write"), Short: 40}, auditing.ClassTransient, syscall.EIO},
	{"I/O error, and nothing can be cut off", spool.Fault{On: refuse(syscall.EIO, "write", "truncate"), Short: 40}, auditing.ClassTransient, syscall.EIO},
	{"I/O error of an fsync", spool.Fault{On: refuse(syscall.EIO, "sync")}, auditing.ClassTransient, syscall.EIO},
	{"an fsync and a truncate that fail", spool.Fault{On: refuse(syscall.EIO, "sync", "truncate")}, auditing.ClassTransient, syscall.EIO},
	{"no space at the fsync", spool.Fault{On: refuse(syscall.ENOSPC, "sync")}, auditing.ClassFull, syscall.ENOSPC},
	{"no segment can be made", spool.Fault{On: refuse(syscall.EROFS, "create", "write")}, auditing.ClassTransient, syscall.EROFS},
}

func TestDiskFaultsLoseNoConfirmedEvent(t *testing.T) {
	for _, f := range diskFaults {
		t.Run(f.name, func(t *testing.T) {
			dir := t.TempDir()
			disk := &spool.FaultyDisk{}
			away := &sinktest.Recorder{}
			away.FailWith(errors.New("away"))
			s := open(t, dir, away, disk.On(quick()))
			want := mustWrite(t, s, "before", 3)
			for i := range 3 {
				disk.Set(f.fault)
				err := s.Write(t.Context(), event(fmt.Sprintf("refused-%d", i)))
				mustFail(t, err, f.class, f.cause)
				disk.Set(spool.Fault{})
				want = append(want, mustWrite(t, s, fmt.Sprintf("between-%d", i), 2)...)
			}
			abandon(s)
			delivered, damage := reopen(t, dir)
			// A refused event may be stored all the same, where it could not be cut off.
			delivered = slices.DeleteFunc(delivered, func(name string) bool { return strings.HasPrefix(name, "refused") })
			if !slices.Equal(delivered, want) {
				t.Errorf("delivered %v, want %v", delivered, want)
			}
			for _, d := range damage {
				if !d.Torn {
					t.Errorf("reported %v, want torn ends only", d)
				}
			}
		})
	}
}

func TestASegmentIsNeverWrittenAfterAFailedFsync(t *testing.T) {
	dir := t.TempDir()
	disk := &spool.FaultyDisk{}
	away := &sinktest.Recorder{}
	away.FailWith(errors.New("away"))
	s := open(t, dir, away, disk.On(quick()))
	mustWrite(t, s, "before", 1)
	var suspect atomic.Value
	suspect.Store("")
	disk.Set(spool.Fault{On: func(op, path string) error {
		if op == "sync" && filepath.Ext(path) == ".seg" {
			suspect.Store(path)
			return syscall.EIO
		}
		return nil
	}})
	mustFail(t, s.Write(t.Context(), event("refused")), auditing.ClassTransient, syscall.EIO)
	bad := suspect.Load().(string) //nolint:forcetypeassert // only strings are stored
	disk.Set(spool.Fault{On: func(op, path string) error {
		if path == bad && (op == "write" || op == "sync") {
			t.Errorf("%s of %s after its fsync failed", op, path)
		}
		return nil
	}})
	mustWrite(t, s, "after", 3)
	abandon(s)
	if delivered, _ := reopen(t, dir); !slices.Equal(delivered, []string{"before-0", "after-0", "after-1", "after-2"}) {
		t.Errorf("delivered %v", delivered)
	}
}

func TestEventStaysWhenLetterCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	disk := &spool.FaultyDisk{}
	r := &sinktest.Recorder{}
	r.FailWith(driver.Permanent(errors.New("refused")))
	var h heard
	disk.Set(spool.Fault{On: func(op, path string) error {
		if op == "create" && filepath.Base(filepath.Dir(path)) == "dead" {
			return syscall.ENOSPC
		}
		return nil
	}})
	s := open(t, dir, r, disk.On(h.listen(quick())))
	want := mustWrite(t, s, "ae", 2)
	eventually(t, "it is reported", func() bool { return h.failures() > 1 })
	abandon(s)
	if delivered, _ := reopen(t, dir); !slices.Equal(delivered, want) {
		t.Errorf("the next process delivers %v, want %v", delivered, want)
	}
}

func TestSegmentThatIsReadableAgainIsDelivered(t *testing.T) {
	dir, _, want := leftBehind(t, 3)
	disk := &spool.FaultyDisk{}
	var reads atomic.Int64
	disk.Set(spool.Fault{On: func(op, path string) error {
		if op == "read" && filepath.Ext(path) == ".seg" && reads.Add(1) <= 6 {
			return syscall.EIO
		}
		return nil
	}})
	r := &sinktest.Recorder{}
	var h heard
	drain(t, open(t, dir, r, disk.On(h.listen(quick()))))
	mustHold(t, r, want)
	if h.failures() == 0 || len(h.damages()) > 0 {
		t.Errorf("%d failures and %v as damage were reported, want some failures", h.failures(), h.damages())
	}
}

func TestUnreadableSegmentIsKeptAndCanBeRequeued(t *testing.T) {
	dir, segment, names := leftBehind(t, 3)
	disk := &spool.FaultyDisk{}
	disk.Set(spool.Fault{On: func(op, path string) error {
		if op == "read" && path == segment {
			return syscall.EIO
		}
		return nil
	}})
	var h heard
	r := &sinktest.Recorder{}
	s := open(t, dir, r, disk.On(h.listen(quick())))
	later := mustWrite(t, s, "later", 1)
	drain(t, s)
	mustHold(t, r, later)
	kept := filepath.Join(dir, "damaged", filepath.Base(segment))
	if d := h.damages(); len(d) != 1 || d[0].SavedAs != kept || d[0].Torn || !strings.Contains(d[0].Err.Error(), "not delivered") {
		t.Errorf("reported %v, want that events in %s are not delivered", d, kept)
	}
	// The file was copied from the failing disk, with one bad byte.
	flip(t, kept, 100)
	if err := spool.Requeue(dir, filepath.Base(segment)); err == nil || !strings.Contains(err.Error(), "2 events") || !strings.Contains(err.Error(), "offset 0") {
		t.Errorf("Requeue of the damaged segment: %v, want that two events are requeued, and what is wrong at offset 0", err)
	}
	mustDeliver(t, dir, names[1:])
	// Now the byte is right again.
	flip(t, kept, 100)
	if err := spool.Requeue(dir, filepath.Base(segment)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(kept); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the segment is still there: %v", err)
	}
	mustDeliver(t, dir, names)
}

// mustDeliver waits until the next process has delivered what was requeued.
func mustDeliver(t *testing.T, dir string, want []string) {
	t.Helper()
	r := &sinktest.Recorder{}
	s := open(t, dir, r, quick())
	eventually(t, fmt.Sprintf("%v are delivered", want), func() bool { return len(r.Events()) >= len(want) })
	drain(t, s)
	mustHold(t, r, want)
}

func TestDamageThatCannotBeCopiedKeepsTheSegment(t *testing.T) {
	dir, segment, names := leftBehind(t, 3)
	flip(t, segment, 100)
	disk := &spool.FaultyDisk{}
	disk.Set(spool.Fault{On: func(op, path string) error {
		if op == "create" && filepath.Base(filepath.Dir(path)) == "damaged" {
			return syscall.ENOSPC
		}
		return nil
	}})
	var h heard
	r := &sinktest.Recorder{}
	drain(t, open(t, dir, r, disk.On(h.listen(quick()))))
	mustHold(t, r, names[1:])
	if d := h.damages(); len(d) != 1 || d[0].SavedAs != "" || !errors.Is(d[0].Err, syscall.ENOSPC) {
		t.Errorf("reported %v, want that no copy could be written", d)
	}
	if _, err := os.Stat(filepath.Join(dir, "damaged", filepath.Base(segment))); err != nil {
		t.Errorf("the segment is not kept: %v", err)
	}
}

func TestNewUndoesWhatItBeganWhenTheDiskFails(t *testing.T) {
	dir := t.TempDir()
	for _, op := range []string{"create", "syncdir"} {
		disk := &spool.FaultyDisk{}
		disk.Set(spool.Fault{On: func(o, _ string) error {
			if o == op {
				return syscall.EROFS
			}
			return nil
		}})
		path := filepath.Join(dir, op)
		if _, err := spool.New(path, &sinktest.Recorder{}, disk.On(quick())); !errors.Is(err, syscall.EROFS) {
			t.Errorf("New with a failing %s: %v, want EROFS", op, err)
		}
		drain(t, open(t, path, &sinktest.Recorder{}, quick()))
	}
}
