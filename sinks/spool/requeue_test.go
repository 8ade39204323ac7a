//go:build unix

package spool_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/spool"
)

func TestUnreadableLetterHoldsUpNoOther(t *testing.T) {
	dir := t.TempDir()
	first, _, id := refusal(t, dir)
	drain(t, first)
	if err := os.Mkdir(filepath.Join(dir, "requeue", "0-directory.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "requeue", "0-link.json")); err != nil {
		t.Fatal(err)
	}
	if err := spool.Requeue(dir, "unknown", id); err == nil {
		t.Error("Requeue of a letter that is not there succeeded")
	}
	r := &sinktest.Recorder{}
	var h heard
	s := open(t, dir, r, h.listen(quick()))
	eventually(t, "the letter behind them is delivered", func() bool { return len(r.Events()) == 1 })
	mustHold(t, r, []string{"ae-0"})
	drain(t, s)
	if n := h.failures(); n != 2 {
		t.Errorf("%d failures were reported, want one for each: %v", n, h.errs)
	}
}

func TestLetterThatCannotBeRemovedIsStoredOnce(t *testing.T) {
	dir := t.TempDir()
	first, _, id := refusal(t, dir)
	drain(t, first)
	if err := spool.Requeue(dir, id); err != nil {
		t.Fatal(err)
	}
	disk := &spool.FaultyDisk{}
	tries := make(chan struct{}, 100)
	disk.Set(spool.Fault{On: func(op, path string) error {
		if op == "remove" && filepath.Base(filepath.Dir(path)) == "requeue" {
			tries <- struct{}{}
			return syscall.EACCES
		}
		return nil
	}})
	to := &destination{}
	s := open(t, dir, to.sink(), disk.On(quick()))
	eventually(t, "it is tried three times", func() bool { return len(tries) >= 3 })
	drain(t, s)
	if got := to.asked(); len(got) != 1 {
		t.Errorf("the destination got %v, want the event once", got)
	}
}

func TestLettersGetTheOwnerOfTheDirectory(t *testing.T) {
	dir, segment, _ := leftBehind(t, 2)
	kept := filepath.Join(dir, "damaged", filepath.Base(segment))
	if err := os.Rename(segment, kept); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 { // only root may change owners; the letters of others are their own
		uid, gid = 65532, 65532
		if err := os.Chown(filepath.Join(dir, "requeue"), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := spool.Requeue(dir, filepath.Base(segment)); err != nil {
		t.Fatal(err)
	}
	letters, err := filepath.Glob(filepath.Join(dir, "requeue", "*.json"))
	if err != nil || len(letters) != 2 {
		t.Fatalf("letters %v, %v, want two", letters, err)
	}
	for _, path := range letters {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := info.Sys().(*syscall.Stat_t); !ok || int(s.Uid) != uid || int(s.Gid) != gid {
			t.Errorf("%s has the owner %d:%d, want %d:%d", path, s.Uid, s.Gid, uid, gid)
		}
	}
}
