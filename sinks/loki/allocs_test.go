//go:build !race

package loki

import (
	"context"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// The race detector makes pools forget at random, so this cannot run under it.
func TestAWriteAllocatesNothingBesidesItsShareOfAPush(t *testing.T) {
	s, err := New("http://loki.invalid", Options{})
	if err != nil {
		t.Fatal(err)
	}
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: v1alpha1.AuditKindEgressBlock, Decision: v1alpha1.AuditDecisionDenied, Namespace: "team-a", RunName: "run-1", Reason: "x",
	})
	q := s.stream(ae, "")
	var b batch
	push := func() {
		w, err := s.begin(ae)
		if err != nil {
			t.Fatal(err)
		}
		defer s.end(w)
		at := s.places.of(ae)
		if _, err := s.encode(t.Context(), w, ae, at); err != nil {
			t.Fatal(err)
		}
		defer s.room.Release(int64(cap(w.buffer)) + entryOverhead)
		s.stream(ae, "").add(&w.entry)
		f := q.take(nil, &b)
		q.settle(f, answer{kind: answerStored})
		if v, ok := w.await(t.Context().Done()); !ok || v.err != nil {
			t.Errorf("not stored: %v", v.err)
		}
	}
	q.pushers = maxPushers // nobody else is to push
	push()
	if got := testing.AllocsPerRun(1000, push); got > 1 { // the push itself
		t.Errorf("%g allocations, want at most 1", got)
	}
	q.pushers = 0
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
