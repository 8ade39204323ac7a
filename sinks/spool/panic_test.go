package spool_test

import (
	"context"
	"errors"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

// panicky returns options whose hooks panic, and counts their calls in called.
func panicky(called chan<- struct{}) spool.Options {
	opts := quick()
	opts.OnFailure = func(context.Context, *v1alpha1.AuditEvent, error) {
		called <- struct{}{}
		panic("OnFailure")
	}
	opts.OnDamage = func(spool.Damage) {
		called <- struct{}{}
		panic("OnDamage")
	}
	return opts
}

func TestAPanicOfOnFailureStopsNoDelivery(t *testing.T) {
	dir := t.TempDir()
	called := make(chan struct{}, 100)
	r := &sinktest.Recorder{}
	r.FailNext(1, driver.Permanent(errors.New("refused")))
	s := open(t, dir, r, panicky(called))
	mustWrite(t, s, "ae", 3)
	drain(t, s)
	mustHold(t, r, []string{"ae-1", "ae-2"})
	if len(called) != 1 {
		t.Errorf("OnFailure was called %d times, want once", len(called))
	}
}

func TestAPanicOfOnDamageStopsNoDelivery(t *testing.T) {
	dir, segment, names := leftBehind(t, 3)
	flip(t, segment, 100)
	mustPut(t, nil, dir, "1.seg") // is reported by New
	called := make(chan struct{}, 100)
	r := &sinktest.Recorder{}
	drain(t, open(t, dir, r, panicky(called)))
	mustHold(t, r, names[1:])
	if len(called) != 2 {
		t.Errorf("OnDamage was called %d times, want twice", len(called))
	}
}

// nameless panics in each method but Write.
type nameless struct{ *sinktest.Recorder }

func (nameless) String() string              { panic("String") }
func (nameless) Check(context.Context) error { panic("Check") }
func (nameless) Close(context.Context) error { panic("Close") }

func TestPanicsOfTheNextSinkEndNoProcess(t *testing.T) {
	r := &sinktest.Recorder{}
	s := open(t, t.TempDir(), nameless{r}, quick())
	if err := s.Check(t.Context()); err == nil {
		t.Error("Check succeeded, want the panic as an error")
	}
	want := mustWrite(t, s, "ae", 2)
	if err := s.Close(t.Context()); err == nil {
		t.Error("Close succeeded, want the panic as an error")
	}
	mustHold(t, r, want)
}
