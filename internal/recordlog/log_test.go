package recordlog_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/paddock-dev/audit/internal/recordlog"
)

// open returns a log that is closed at the end of the test.
func open(t *testing.T, dir string, opts recordlog.Options) *recordlog.Log {
	t.Helper()
	opts.SegmentBytes = 128 // a few records
	l, err := recordlog.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustAppend(t *testing.T, l *recordlog.Log, payloads ...string) {
	t.Helper()
	for _, payload := range payloads {
		if err := errors.Join(l.Append(t.Context(), []byte(payload))...); err != nil {
			t.Fatal(err)
		}
	}
}

// read returns the payloads of the records that Next has now.
func read(t *testing.T, l *recordlog.Log) (payloads []string, records []*recordlog.Record) {
	t.Helper()
	for {
		r, err := l.Next(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if r == nil {
			return payloads, records
		}
		payloads, records = append(payloads, string(r.Payload)), append(records, r)
	}
}

func TestRecordsAreReadInOrderUntilAcknowledged(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, recordlog.Options{})
	want := []string{"one", "two", "three", "four", "five", "six"}
	mustAppend(t, l, want...)
	got, records := read(t, l)
	if !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	// All but the third: it stays, with everything behind it.
	if err := l.Acknowledge(append(records[:2:2], records[3:]...)...); err != nil {
		t.Error(err)
	}
	if got := l.Stats().Depth; got != 1 {
		t.Errorf("%d records wait, want 1", got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	l = open(t, dir, recordlog.Options{})
	if got, _ := read(t, l); len(got) == 0 || got[0] != "three" {
		t.Errorf("after a restart read %v, want three first", got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestSealedLogGivesTheRestAndTakesNothing(t *testing.T) {
	l := open(t, t.TempDir(), recordlog.Options{})
	mustAppend(t, l, "one")
	l.Seal()
	if err := l.Append(t.Context(), []byte("two"))[0]; !errors.Is(err, recordlog.ErrSealed) {
		t.Errorf("Append: %v, want ErrSealed", err)
	}
	for _, want := range []string{"one", ""} {
		r, err := l.Next(t.Context(), true)
		if err != nil || (r == nil) != (want == "") || r != nil && string(r.Payload) != want {
			t.Errorf("Next: %v, %v, want %q", r, err, want)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestFullLogWaitsForAcknowledge(t *testing.T) {
	errFull := errors.New("full")
	l := open(t, t.TempDir(), recordlog.Options{Wait: true, Full: func(s recordlog.Stats) error {
		if s.Depth > 0 {
			return errFull
		}
		return nil
	}})
	mustAppend(t, l, "one")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Append(ended, []byte("two"))[0]; !errors.Is(err, errFull) || !errors.Is(err, context.Canceled) {
		t.Errorf("Append: %v, want that the log is full until the context ended", err)
	}
	waited := make(chan error)
	go func() { waited <- l.Append(t.Context(), []byte("three"))[0] }()
	_, records := read(t, l)
	if err := l.Acknowledge(records...); err != nil {
		t.Error(err)
	}
	if err := <-waited; err != nil {
		t.Errorf("Append that waited: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestRejectedRecordIsCopied(t *testing.T) {
	var savedAs string
	l := open(t, t.TempDir(), recordlog.Options{OnDamage: func(_ string, _ recordlog.Step, as string, _ error) { savedAs = as }})
	mustAppend(t, l, "one")
	r, err := l.Next(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	want := recordlog.AppendRecord(nil, r.Seq, r.At, r.Payload)
	if err := l.Reject(r, errors.New("bad")); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(savedAs); err != nil || !slices.Equal(got, want) {
		t.Errorf("the copy is %q, want %q (%v)", got, want, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
