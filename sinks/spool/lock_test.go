package spool_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/spool"
)

func TestLockHoldsWhenFilesOfTheDirectoryAreRemoved(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, &sinktest.Recorder{}, quick())
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := spool.New(dir, &sinktest.Recorder{}, quick()); err == nil {
		abandon(s)
		t.Error("a second spool opened the directory")
	}
}

func TestWriteFailsWhenItsSegmentIsRemoved(t *testing.T) {
	dir := t.TempDir()
	r := &sinktest.Recorder{}
	r.FailWith(errors.New("away"))
	s := open(t, dir, r, quick())
	mustWrite(t, s, "before", 1)
	segments, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments %v (%v), want one", segments, err)
	}
	if err := os.Remove(segments[0]); err != nil {
		t.Fatal(err)
	}
	mustFail(t, s.Write(t.Context(), event("refused")), auditing.ClassTransient, os.ErrNotExist)
	want := mustWrite(t, s, "after", 2)
	abandon(s)
	if got := namesOf(t, dir); len(got) != len(want) || got[0] != want[0] {
		t.Errorf("the next process delivers %v, want %v", got, want)
	}
}

func TestWritesFailWhenTheDirectoryIsReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	r := &sinktest.Recorder{}
	r.FailWith(errors.New("away"))
	s := open(t, dir, r, quick())
	mustWrite(t, s, "before", 1)
	if err := os.Rename(dir, dir+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Write(t.Context(), event("refused")); err == nil {
			t.Error("Write into a directory that was replaced succeeded")
		}
	}
	abandon(s)
	if got := namesOf(t, dir+".moved"); len(got) != 1 {
		t.Errorf("the moved directory delivers %v, want what was confirmed", got)
	}
}

func TestMaxAgeCountsFromArrival(t *testing.T) {
	dir := t.TempDir()
	r := &sinktest.Recorder{}
	r.FailWith(errors.New("away"))
	opts := quick()
	opts.MaxAge = time.Hour
	old := event("old")
	old.Spec.Timestamp.Time = time.Now().AddDate(-1, 0, 0)
	old.Annotations = nil
	for range 2 { // the second process reads it from the disk
		s := open(t, dir, r, opts)
		if err := s.Write(t.Context(), old); err != nil {
			t.Errorf("Write: %v", err)
		}
		mustWrite(t, s, "ae", 1)
		abandon(s)
	}
}
