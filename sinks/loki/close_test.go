package loki_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/loki"
)

func TestCloseFinishesWritesAndRefusesNewOnes(t *testing.T) {
	t.Parallel()
	l := permissive.get(t)
	gateOpen := make(chan struct{})
	arrived := make(chan struct{}, 100)
	address := before(t, l, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		arrived <- struct{}{}
		<-gateOpen
		next.ServeHTTP(w, r)
	})
	sink, err := loki.New(address, loki.Options{ProveEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	ae := event(namespace(), "x")
	written := make(chan error, 1)
	go func() { written <- sink.Write(shortly(t), ae) }()
	<-arrived
	closed := make(chan error, 1)
	go func() { closed <- sink.Close(shortly(t)) }()
	eventually(t, func() bool {
		var failed *auditing.WriteError
		return errors.As(sink.Write(shortly(t), nil), &failed) && failed.Class == auditing.ClassInvalid &&
			errors.As(sinkRefuses(t, sink), &failed) && failed.Class == auditing.ClassClosed
	})
	close(gateOpen)
	if err := errors.Join(<-written, <-closed, sink.Close(shortly(t))); err != nil {
		t.Fatal(err)
	}
	sameEvents(t, stored(t, l, "", ae.Namespace), []*v1alpha1.AuditEvent{ae})
}

// sinkRefuses writes with a context that ends soon, so that it returns even when the sink
// does not refuse.
func sinkRefuses(t *testing.T, sink *loki.Sink) error {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	return sink.Write(ctx, event(namespace(), "x"))
}

func TestCloseNamesUnconfirmedEvents(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 100)
	address := fake(t, func(_ http.ResponseWriter, r *http.Request) { // it hangs, which a real Loki does not do for long
		buf := make([]byte, 1<<10)
		for n := 1; n > 0; {
			n, _ = r.Body.Read(buf)
		}
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	sink, err := loki.New(address, loki.Options{ProveEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	ns := namespace()
	events := []*v1alpha1.AuditEvent{event(ns, "a"), event(ns, "b"), event(ns, "c")}
	for i, ae := range events {
		ae.Name = []string{"first", "second", "third"}[i]
	}
	errs := make([]error, len(events))
	var wg sync.WaitGroup
	wg.Go(func() { errs[0] = sink.Write(shortly(t), events[0]) })
	<-arrived
	for i := range events[1:] {
		wg.Go(func() { errs[i+1] = sink.Write(shortly(t), events[i+1]) })
	}
	eventually(t, func() bool { return loki.Writing(sink) == len(events) })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err = sink.Close(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Close: %v, want a DeadlineExceeded", err)
	}
	contains(t, err.Error(), ns+"/first, "+ns+"/second, "+ns+"/third")
	wg.Wait()
	contains(t, mustFail(t, errs[0], auditing.ClassClosed).Error(), "outcome is unknown")
	contains(t, mustFail(t, errs[1], auditing.ClassClosed).Error(), "not sent")
	if err := sink.Close(shortly(t)); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

// eventually fails the test unless done returns true in time.
func eventually(tb testing.TB, done func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatal("it did not come about in 10 s")
		}
	}
}
