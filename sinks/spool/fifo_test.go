//go:build unix

package spool_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/spool"
)

// putFIFO makes a named pipe that nobody writes into, in a directory of a spool.
func putFIFO(t *testing.T, dir, name string) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// soon fails when do takes long. Then it opens the pipe, so that do returns.
func soon(t *testing.T, fifo string, do func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		do()
	}()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Errorf("it hangs on %s", filepath.Base(fifo))
		if f, err := os.OpenFile(fifo, os.O_RDWR, 0); err == nil {
			_ = f.Close()
		}
		<-ended
	}
}

func TestFIFOAsSegmentIsSetAside(t *testing.T) {
	dir := t.TempDir()
	fifo := putFIFO(t, dir, "00000000000000000001.seg")
	r := &sinktest.Recorder{}
	var h heard
	soon(t, fifo, func() {
		s, err := spool.New(dir, r, h.listen(quick()))
		if err != nil {
			t.Error(err)
			return
		}
		defer abandon(s)
		if sum, err := spool.Stats(dir); err != nil || sum.SetAside != 1 {
			t.Errorf("Stats: %+v, %v, want one set aside", sum, err)
		}
		if err := s.Write(t.Context(), event("ae")); err != nil {
			t.Error(err)
		}
	})
	if d := h.damages(); len(d) != 1 {
		t.Errorf("reported %v, want the pipe", d)
	}
}

func TestFIFOAsRequeuedLetterHoldsUpNoOther(t *testing.T) {
	dir := t.TempDir()
	first, _, id := refusal(t, dir)
	drain(t, first)
	if err := spool.Requeue(dir, id); err != nil {
		t.Fatal(err)
	}
	fifo := putFIFO(t, dir, "requeue/0-a.json")
	r := &sinktest.Recorder{}
	soon(t, fifo, func() {
		s, err := spool.New(dir, r, quick())
		if err != nil {
			t.Error(err)
			return
		}
		eventually(t, "the letter behind it is delivered", func() bool { return len(r.Events()) == 1 })
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestFIFOsInASpoolAreErrorsOfInspection(t *testing.T) {
	dir := t.TempDir()
	drain(t, open(t, dir, &sinktest.Recorder{}, quick()))
	fifo := putFIFO(t, dir, "dead/7-a.json")
	soon(t, fifo, func() {
		for what, err := range map[string]error{"List": second(spool.List(dir)), "Show": second(spool.Show(dir, "7-a")), "Requeue": spool.Requeue(dir, "7-a")} {
			if err == nil || !strings.Contains(err.Error(), "no regular file") {
				t.Errorf("%s: %v, want that it is no regular file", what, err)
			}
		}
	})
	fifo = putFIFO(t, dir, "damaged/00000000000000000007.seg")
	soon(t, fifo, func() {
		if err := spool.Requeue(dir, "00000000000000000007.seg"); err == nil {
			t.Error("Requeue of a pipe succeeded")
		}
	})
}

func TestFIFOAsProgressFailsNew(t *testing.T) {
	dir := t.TempDir()
	fifo := putFIFO(t, dir, "progress")
	soon(t, fifo, func() {
		if _, err := spool.New(dir, &sinktest.Recorder{}, quick()); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("New: %v, want that it is no regular file", err)
		}
		if _, err := spool.Stats(dir); err == nil {
			t.Error("Stats succeeded")
		}
	})
}

func second[T any](_ T, err error) error { return err }
