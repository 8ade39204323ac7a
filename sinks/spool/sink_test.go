package spool_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

func TestDeliversInTheOrderOfWrites(t *testing.T) {
	r := &sinktest.Recorder{}
	s := open(t, t.TempDir(), r, quick())
	want := mustWrite(t, s, "ae", 200)
	drain(t, s)
	mustHold(t, r, want)
}

func TestRestartDeliversWhatWasLeft(t *testing.T) {
	dir := t.TempDir()
	away, back := &sinktest.Recorder{}, &sinktest.Recorder{}
	away.FailWith(errors.New("away"))
	opts := quick()
	opts.SegmentBytes = 4 << 10 // several files
	first := open(t, dir, away, opts)
	want := mustWrite(t, first, "ae", 50)
	abandon(first)
	second := open(t, dir, back, opts)
	want = append(want, mustWrite(t, second, "later", 3)...)
	drain(t, second)
	mustHold(t, back, want)
	if left, err := filepath.Glob(filepath.Join(dir, "*.seg")); err != nil || len(left) > 0 {
		t.Errorf("after all is delivered these segments are left: %v (%v)", left, err)
	}
}

func TestRestartDeliversNothingAgain(t *testing.T) {
	dir := t.TempDir()
	r := &sinktest.Recorder{}
	s := open(t, dir, r, quick())
	mustWrite(t, s, "ae", 5)
	eventually(t, "all are delivered", func() bool { return len(r.Events()) == 5 })
	r.FailWith(errors.New("away"))
	late := mustWrite(t, s, "late", 2)
	abandon(s)
	second := &sinktest.Recorder{}
	drain(t, open(t, dir, second, quick()))
	mustHold(t, second, late)
}

func TestTransientErrorsAreRetriedUntilSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &destination{}
		d.leave()
		var h heard
		s, err := spool.New(t.TempDir(), d.sink(), h.listen(spool.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		want := mustWrite(t, s, "ae", 3)
		time.Sleep(10 * time.Minute) // of the bubble
		d.script(nil)
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := d.holds(); !slices.Equal(got, want) {
			t.Errorf("the destination holds %v, want %v", got, want)
		}
		if h.failures() != d.failed() || h.failures() < 20 {
			t.Errorf("OnFailure heard of %d failures, want all %d, and 20 at least", h.failures(), d.failed())
		}
	})
}

func TestPauseThatTheDestinationAsksForIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &sinktest.Recorder{}
		r.FailNext(1, driver.RetryAfter(errors.New("throttled"), time.Minute))
		s, err := spool.New(t.TempDir(), r, quick())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		mustWrite(t, s, "ae", 1)
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < time.Minute || took > time.Minute+2*time.Second {
			t.Errorf("delivered after %s, want a minute", took)
		}
	})
}

func TestAttemptsEndWithTheirTimeout(t *testing.T) {
	r := &sinktest.Recorder{}
	release := r.Hang()
	var h heard
	opts := h.listen(quick())
	opts.Timeout = 5 * time.Millisecond
	s := open(t, t.TempDir(), r, opts)
	want := mustWrite(t, s, "ae", 1)
	eventually(t, "an attempt has timed out", func() bool { return h.failures() > 1 })
	release()
	drain(t, s)
	mustHold(t, r, want)
}

func TestTheRecordKeepsEverythingOfTheEvent(t *testing.T) {
	dir := t.TempDir()
	r := &sinktest.Recorder{}
	s := open(t, dir, r, quick())
	ae := event("whole")
	ae.Spec.Timestamp.Time = time.Date(2026, 3, 1, 10, 0, 0, 123456789, time.UTC)
	ae.Labels["team"], ae.Annotations = "a", map[string]string{"note": "räksmörgås \u2028 <&>"}
	ae.Finalizers = []string{"example.com/keep"}
	if err := s.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	drain(t, s)
	got := r.Events()[0]
	if at := auditing.EventTime(&got); !at.Equal(ae.Spec.Timestamp.Time) {
		t.Errorf("the time is %s, want %s", at, ae.Spec.Timestamp)
	}
	if want, got := asJSON(t, ae), asJSON(t, &got); want != got {
		t.Errorf("delivered %s, want %s", got, want)
	}
}

func asJSON(t *testing.T, ae *v1alpha1.AuditEvent) string {
	t.Helper()
	text, err := json.Marshal(ae)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSecondSinkOnADirectoryFails(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, &sinktest.Recorder{}, quick())
	if _, err := spool.New(dir, &sinktest.Recorder{}, quick()); err == nil || !strings.Contains(err.Error(), "another") {
		t.Fatalf("a second sink on the directory: %v, want an error", err)
	}
	drain(t, s)
	drain(t, open(t, dir, &sinktest.Recorder{}, quick()))
}

func TestOnlyTheOwnerMayReadFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	r := &sinktest.Recorder{}
	r.FailNext(1, driver.Permanent(errors.New("refused")))
	var h heard
	s := open(t, dir, r, h.listen(quick()))
	mustWrite(t, s, "ae", 2)
	eventually(t, "there is a dead letter", func() bool { return len(h.deadLetters()) == 1 })
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has the mode %v, want %v", path, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil || files < 3 {
		t.Errorf("%d files, want at least progress, a segment and a dead letter (%v)", files, err)
	}
}

func TestCloseSaysHowManyEventsAreLeft(t *testing.T) {
	r := &sinktest.Recorder{}
	r.FailWith(errors.New("away"))
	s := open(t, t.TempDir(), r, quick())
	mustWrite(t, s, "ae", 3)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := s.Close(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "3 events left") {
		t.Errorf("Close: %v, want a DeadlineExceeded that speaks of 3 events", err)
	}
}

func TestCloseReturnsWhenTheNextSinkIgnoresItsContext(t *testing.T) {
	stuck := make(chan struct{})
	s := open(t, t.TempDir(), deaf{stuck}, quick())
	mustWrite(t, s, "ae", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err == nil || !strings.Contains(err.Error(), "locked") {
		t.Errorf("Close: %v, want an error that says that the directory stays locked", err)
	}
	close(stuck)
	drain(t, s)
}

type deaf struct{ until chan struct{} }

func (d deaf) Write(context.Context, *v1alpha1.AuditEvent) error {
	<-d.until
	return nil
}

func TestParallelDeliveryLosesNothingAndIsBounded(t *testing.T) {
	dir := t.TempDir()
	var calls atomic.Int64
	d := &destination{batch: 16, took: time.Millisecond, wholly: true, fault: func(string) error {
		if calls.Add(1)%50 == 0 {
			return errors.New("every fiftieth")
		}
		return nil
	}}
	opts := quick()
	opts.Parallel, opts.SegmentBytes = 8, 4<<10
	s := open(t, dir, d.sink(), opts)
	want := mustWrite(t, s, "ae", 500)
	drain(t, s)
	got := d.holds()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d events were delivered, want %d", len(got), len(want))
	}
	if d.most < 2 || d.most > 8 {
		t.Errorf("at most %d were under way at once, want more than 1 and at most 8", d.most)
	}
}

func TestInvalidOptionsAreNamed(t *testing.T) {
	_, err := spool.New(t.TempDir(), &sinktest.Recorder{}, spool.Options{
		MaxBytes: 1, MaxAge: -1, WhenFull: "sometimes", SegmentBytes: 1, Parallel: -1, Timeout: -1, MinBackoff: -1,
	})
	for _, name := range []string{"MaxBytes", "MaxAge", "WhenFull", "SegmentBytes", "Parallel", "Timeout", "MinBackoff"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	if _, err := spool.New("", nil, spool.Options{}); err == nil {
		t.Error("New without a directory and a sink succeeded")
	}
}

func TestPrintsItsChainAndLevel(t *testing.T) {
	s := open(t, t.TempDir(), &sinktest.Recorder{}, quick())
	if got := auditing.Chain(s); got != "spool(recorder)" {
		t.Errorf("the chain is %q, want spool(recorder)", got)
	}
	if got := auditing.LevelOf(s); got != auditing.LevelDurable {
		t.Errorf("the level is %s, want durable", got)
	}
}
