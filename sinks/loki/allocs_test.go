//go:build !race

package loki

import (
	"context"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// The race detector makes pools forget at random, so this cannot run under it.
func TestAWriteAllocatesNothingBesidesItsShareOfAPush(t *testing.T) {
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
	q := s.stream(e, "")
	q.pushers = maxPushers // nobody else is to push
	f := &flight{}
	asked, answered := make(chan struct{}), make(chan struct{})
	go func() {
		for range asked {
			for len(f.entries) == 0 {
				q.mu.Lock()
				q.take(f, nil)
				q.mu.Unlock()
			}
			q.settle(f, answer{kind: answerStored})
			answered <- struct{}{}
		}
	}()
	events := []*driver.Event{e}
	push := func() {
		asked <- struct{}{}
		if errs := s.Store(t.Context(), events); errs != nil {
			t.Errorf("not stored: %v", errs)
		}
		<-answered
	}
	push()
	if got := testing.AllocsPerRun(1000, push); got > 1 { // the push itself
		t.Errorf("%g allocations, want at most 1", got)
	}
	close(asked)
	q.pushers = 0
	if err := sink.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
