package spool_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/spool"
)

func TestSpoolsOfTheFirstVersionAreRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "first"))); err != nil {
		t.Fatal(err)
	}
	letters, err := spool.List(dir)
	if err != nil || len(letters) != 1 || letters[0].Event.Name != "ae-0" {
		t.Errorf("List: %v, %v", letters, err)
	}
	r := &sinktest.Recorder{}
	s := open(t, dir, r, quick())
	eventually(t, "four are delivered", func() bool { return len(r.Events()) == 4 })
	drain(t, s)
	mustHold(t, r, []string{"ae-3", "ae-4", "ae-5", "ae-1"})
	for i, ae := range r.Events() {
		if at := auditing.EventTime(&ae); at.Nanosecond() != 123456789 || ae.Spec.Reason != "reason "+strings.TrimPrefix(ae.Name, "ae-") {
			t.Errorf("event %d is %+v at %s", i, ae, at)
		}
	}
}

func TestNumbersOfSavedSegmentsAreNotGivenOutAgain(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "damaged"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"00000000000000000007.seg", "00000000000000000012-400.bin", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, "damaged", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := &destination{}
	d.leave()
	mustWrite(t, open(t, dir, d.sink(), quick()), "ae", 1)
	if _, err := os.Stat(filepath.Join(dir, "00000000000000000013.seg")); err != nil {
		t.Errorf("the first segment has another number than 13: %v", err)
	}
}
