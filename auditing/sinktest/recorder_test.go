package sinktest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
)

var errDisk = errors.New("no space left on device")

func TestConformance(t *testing.T) { sinktest.Run(t, recorders()) }

func recorders() sinktest.Harness {
	return sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			r := &sinktest.Recorder{}
			return sinktest.Subject{
				Sink:   r,
				Stored: func(context.Context) ([]v1alpha1.AuditEvent, error) { return r.Events(), nil },
			}, nil
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			r := &sinktest.Recorder{}
			r.FailWith(errDisk)
			return sinktest.Fault{Sink: r, Caused: func(err error) bool { return errors.Is(err, errDisk) }}, nil
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			r := &sinktest.Recorder{}
			return sinktest.Fault{Sink: r, Release: r.Hang()}, nil
		},
	}
}

// denial returns an event whose reason is reason.
func denial(reason string) *v1alpha1.AuditEvent {
	return auditing.NewEvent(auditing.EventInput{
		Kind: v1alpha1.AuditKindEgressBlock, Decision: v1alpha1.AuditDecisionDenied, Namespace: "team-a", Reason: reason,
	})
}

// record writes one event for each reason, and returns all errors joined.
func record(t *testing.T, r *sinktest.Recorder, reasons ...string) error {
	t.Helper()
	var errs []error
	for _, reason := range reasons {
		errs = append(errs, r.Write(t.Context(), denial(reason)))
	}
	return errors.Join(errs...)
}

// wantReasons compares the reasons of the recorded events, in their order.
func wantReasons(t *testing.T, r *sinktest.Recorder, want string) {
	t.Helper()
	var got []string
	for _, ae := range r.Events() {
		got = append(got, ae.Spec.Reason)
	}
	if strings.Join(got, " ") != want {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

func TestRecorderKeepsTheOrderOfWritesAndGivesCopies(t *testing.T) {
	var r sinktest.Recorder
	if err := record(t, &r, "c", "a", "b"); err != nil {
		t.Fatal(err)
	}
	r.Events()[0].Spec.Reason = "changed"
	r.Events()[1].Labels[v1alpha1.LabelDecision] = "changed"
	wantReasons(t, &r, "c a b")
	if got := r.Events()[1].Labels[v1alpha1.LabelDecision]; got != "denied" {
		t.Errorf("label is %q after a change to a copy", got)
	}
}

func TestRecorderFailsTheNextWritesOnly(t *testing.T) {
	var r sinktest.Recorder
	r.FailNext(2, errDisk)
	for range 2 {
		if err := record(t, &r, "lost"); !errors.Is(err, errDisk) || !errors.Is(err, auditing.ErrAuditWrite) {
			t.Errorf("got %v, want an audit write failure by %v", err, errDisk)
		}
	}
	if err := record(t, &r, "kept"); err != nil {
		t.Error(err)
	}
	wantReasons(t, &r, "kept")
}

func TestRecorderFailsWithTheClassOfItsError(t *testing.T) {
	var r sinktest.Recorder
	r.FailWith(driver.Permanent(errDisk))
	for range 3 {
		err := record(t, &r, "lost")
		if class, _ := driver.ClassOf(err); class != auditing.ClassPermanent || !errors.Is(err, errDisk) {
			t.Errorf("got %v, want a permanent failure by %v", err, errDisk)
		}
	}
	r.FailWith(nil)
	if err := record(t, &r, "kept"); err != nil {
		t.Error(err)
	}
	wantReasons(t, &r, "kept")
}

func TestRecorderHangsUntilItIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r sinktest.Recorder
		release := r.Hang()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := r.Write(ctx, denial("late")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		written := make(chan error, 1)
		go func() { written <- r.Write(t.Context(), denial("held")) }()
		synctest.Wait()
		wantReasons(t, &r, "")
		release()
		release()
		if err := <-written; err != nil {
			t.Error(err)
		}
		wantReasons(t, &r, "held")
	})
}

func TestRecorderReleaseDoesNotEndALaterHang(t *testing.T) {
	var r sinktest.Recorder
	first := r.Hang()
	first()
	second := r.Hang()
	first()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := r.Write(ctx, denial("late")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the recorder to hang", err)
	}
	second()
	if err := record(t, &r, "kept"); err != nil {
		t.Error(err)
	}
}

func TestRecorderWritePanicsOnDemand(t *testing.T) {
	var r sinktest.Recorder
	r.PanicWith("boom")
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("recovered %v, want boom", v)
			}
		}()
		_ = record(t, &r, "lost")
	}()
	r.PanicWith(nil)
	if err := record(t, &r, "kept"); err != nil {
		t.Error(err)
	}
	wantReasons(t, &r, "kept")
}

func TestRecorderRefusesOtherContentUnderTheSameName(t *testing.T) {
	var r sinktest.Recorder
	ae := denial("first")
	if err := r.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	ae.Spec.Reason = "second"
	if class, _ := driver.ClassOf(r.Write(t.Context(), ae)); class != auditing.ClassPermanent {
		t.Errorf("class is %q, want %q", class, auditing.ClassPermanent)
	}
	wantReasons(t, &r, "first")
}

func TestRecorderCloseSaysHowManyWritesStayUnconfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r sinktest.Recorder
		release := r.Hang()
		written := make(chan error, 2)
		for range cap(written) {
			go func() { written <- r.Write(t.Context(), denial("held")) }()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 writes") {
			t.Errorf("got %v, want that 2 writes are unconfirmed", err)
		}
		release()
		if err := errors.Join(<-written, <-written, r.Close(t.Context())); err != nil {
			t.Error(err)
		}
		wantReasons(t, &r, "held held")
	})
}

func TestRecorderResetRemovesEventsAndFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r sinktest.Recorder
		if err := record(t, &r, "old"); err != nil {
			t.Fatal(err)
		}
		r.Hang()
		held := make(chan error, 1)
		go func() { held <- r.Write(t.Context(), denial("held")) }()
		synctest.Wait()
		r.FailWith(errDisk)
		r.PanicWith("boom")
		closing, cancel := context.WithCancel(t.Context())
		cancel()
		_ = r.Close(closing)
		r.Reset()
		if err := <-held; err != nil {
			t.Error(err)
		}
		if err := record(t, &r, "new"); err != nil {
			t.Error(err)
		}
		wantReasons(t, &r, "held new")
	})
}
