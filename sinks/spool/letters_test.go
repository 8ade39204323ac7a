package spool_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

// refusal fills dir with one dead letter and one event that was delivered.
func refusal(t *testing.T, dir string) (s *spool.Sink, r *sinktest.Recorder, id string) {
	t.Helper()
	var h heard
	r = &sinktest.Recorder{}
	r.FailNext(1, driver.Permanent(errors.New("no such label")))
	s = open(t, dir, r, h.listen(quick()))
	mustWrite(t, s, "ae", 2)
	eventually(t, "the other event is delivered", func() bool { return len(r.Events()) == 1 })
	mustHold(t, r, []string{"ae-1"})
	return s, r, h.deadLetters()[0]
}

func TestRefusedEventBecomesDeadLetter(t *testing.T) {
	dir := t.TempDir()
	s, _, id := refusal(t, dir)
	drain(t, s)
	letters, err := spool.List(dir)
	if err != nil || len(letters) != 1 {
		t.Fatalf("List: %v, %v, want one letter", letters, err)
	}
	l := letters[0]
	if l.ID != id || l.Event.Name != "ae-0" || l.Event.Kind != "AuditEvent" || l.Sink != "recorder" || !strings.Contains(l.Reason, "no such label") ||
		l.StoredAt.IsZero() || l.RefusedAt.Before(l.StoredAt) {
		t.Errorf("the dead letter is %+v", l)
	}
	text, err := os.ReadFile(filepath.Join(dir, "dead", id+".json"))
	if err != nil || !strings.Contains(string(text), "\n  \"reason\": ") {
		t.Errorf("the file does not read well (%v):\n%s", err, text)
	}
	if drained := namesOf(t, dir); len(drained) != 0 {
		t.Errorf("the next process delivers %v again", drained)
	}
}

// namesOf drains a directory, and returns the names of the events in it.
func namesOf(t *testing.T, dir string) []string {
	t.Helper()
	r := &sinktest.Recorder{}
	drain(t, open(t, dir, r, quick()))
	return namesIn(r)
}

func TestAPanicOfTheNextSinkMakesADeadLetter(t *testing.T) {
	dir := t.TempDir()
	r := &sinktest.Recorder{}
	r.PanicWith("out of order")
	s := open(t, dir, r, quick())
	mustWrite(t, s, "ae", 1)
	drain(t, s)
	letters, err := spool.List(dir)
	if err != nil || len(letters) != 1 || !strings.Contains(letters[0].Reason, "out of order") {
		t.Errorf("List: %v, %v, want one letter with the panic", letters, err)
	}
}

func TestRequeuedLetterIsDeliveredByTheOpenSink(t *testing.T) {
	dir := t.TempDir()
	s, r, id := refusal(t, dir)
	if err := spool.Requeue(dir, id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the letter is delivered", func() bool { return len(r.Events()) == 2 })
	drain(t, s)
	mustHold(t, r, []string{"ae-1", "ae-0"})
	if sum, err := spool.Stats(dir); err != nil || sum != (spool.Summary{}) {
		t.Errorf("left in the directory: %+v, %v", sum, err)
	}
}

func TestRequeuedLetterIsDeliveredAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s, _, id := refusal(t, dir)
	drain(t, s)
	if err := spool.Requeue(dir, id); err != nil {
		t.Fatal(err)
	}
	if sum, err := spool.Stats(dir); err != nil || sum.Requeued != 1 || sum.DeadLetters != 0 {
		t.Errorf("Stats: %+v, %v, want one that is requeued", sum, err)
	}
	r := &sinktest.Recorder{}
	second := open(t, dir, r, quick())
	eventually(t, "the letter is delivered", func() bool { return len(r.Events()) == 1 })
	drain(t, second)
	mustHold(t, r, []string{"ae-0"})
}

func TestLetterDamagedByHandGoesBackToTheDeadLetters(t *testing.T) {
	dir := t.TempDir()
	s, _, id := refusal(t, dir)
	drain(t, s)
	if err := os.WriteFile(filepath.Join(dir, "requeue", id+".json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var h heard
	second := open(t, dir, &sinktest.Recorder{}, h.listen(quick()))
	eventually(t, "it is reported", func() bool { return h.failures() == 1 })
	drain(t, second)
	if _, err := spool.Show(dir, id); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Show: %v, want an error that says that it is damaged", err)
	}
	if _, err := spool.List(dir); err == nil {
		t.Error("List says nothing of a damaged letter")
	}
}

func TestDeadLettersCountAgainstTheBoundOnBytes(t *testing.T) {
	dir := t.TempDir()
	r, opts := awayWith(1 << 20)
	r.FailWith(driver.Permanent(errors.New("refused")))
	s := open(t, dir, r, opts)
	eventually(t, "it is full", func() bool {
		err := s.Write(t.Context(), large("ae"))
		class, _ := driver.ClassOf(err)
		return err != nil && class == auditing.ClassFull
	})
	letters, err := spool.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		if err := os.Remove(filepath.Join(dir, "dead", l.ID+".json")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "there is room again", func() bool { return s.Write(t.Context(), large("again")) == nil })
}

func TestIDsThatAreNotFileNamesAreRefused(t *testing.T) {
	dir := t.TempDir()
	drain(t, open(t, dir, &sinktest.Recorder{}, quick()))
	for _, id := range []string{"", ".", "..", "../progress", `a\b`, "unknown"} {
		if _, err := spool.Show(dir, id); err == nil {
			t.Errorf("Show(%q) succeeded", id)
		}
		if err := spool.Requeue(dir, id); err == nil {
			t.Errorf("Requeue(%q) succeeded", id)
		}
	}
}

func TestStatsCountsEventsOfOpenSpool(t *testing.T) {
	dir := t.TempDir()
	r := &sinktest.Recorder{}
	r.FailWith(errors.New("away"))
	s := open(t, dir, r, quick())
	mustWrite(t, s, "ae", 7)
	sum, err := spool.Stats(dir)
	if err != nil || sum.Depth != 7 || sum.Bytes == 0 || sum.Oldest.IsZero() {
		t.Errorf("Stats: %+v, %v, want 7 that wait", sum, err)
	}
	if _, err := spool.Stats(filepath.Join(dir, "missing")); err == nil {
		t.Error("Stats of a directory that is not there succeeded")
	}
}
