//go:build !race

package loki

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// Under the race detector, a sync.Pool drops some of its items at random, so this test cannot run there.
func TestWriteAllocatesOnlyItsShareOfAPush(t *testing.T) {
	sink, err := New("http://loki.invalid", Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := sink.store
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: v1alpha1.AuditKindEgressBlock, Decision: v1alpha1.AuditDecisionDenied, Namespace: "team-a", RunName: "run-1", Reason: "x",
	})
	e, err := driver.Prepare(ae, "")
	if err != nil {
		t.Fatal(err)
	}
	const writers = 64
	q := s.stream(e, "")
	var answers atomic.Bool // the server answers
	q.queue = s.batches.Queue(func(_ context.Context, entries []entry) []error {
		for !answers.Load() {
			runtime.Gosched()
		}
		return q.decide(entries, answer{status: http.StatusNoContent})
	})
	asked, answered := make(chan struct{}), make(chan error)
	events := []*driver.Event{e}
	for range writers {
		go func() {
			for range asked {
				answered <- errors.Join(s.Store(context.Background(), events)...)
			}
		}()
	}
	push := func() {
		answers.Store(false)
		for range writers {
			asked <- struct{}{}
		}
		for Writing(sink) < writers {
			runtime.Gosched()
		}
		answers.Store(true)
		for range writers {
			if err := <-answered; err != nil {
				t.Errorf("not stored: %v", err)
			}
		}
	}
	push()
	if got := testing.AllocsPerRun(100, push) / writers; got > 1 {
		t.Errorf("%g allocations a write, want at most 1", got)
	} else {
		t.Logf("%g allocations a write", got)
	}
	close(asked)
	if err := sink.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
