package proxy

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
)

const metadataService = "http://169.254.169.254/latest"

// gaps returns the events about failed writes, and fails on any that is not as
// such an event has to be.
func gaps(t *testing.T, trail *sinktest.Recorder) (found []v1alpha1.AuditEvent) {
	t.Helper()
	for _, ae := range trail.Events() {
		if ae.Spec.Kind != kindAuditWriteFailed {
			continue
		}
		if ae.Spec.Decision != v1alpha1.AuditDecisionWarned || ae.Namespace != "team-a" || ae.Spec.RunRef.Name != "hr-1" ||
			ae.Spec.WindowStart == nil || ae.Spec.WindowEnd == nil || ae.Spec.WindowEnd.Time.Before(ae.Spec.WindowStart.Time) {
			t.Errorf("recorded %+v", ae.Spec)
		}
		found = append(found, ae)
	}
	return found
}

func TestWritesThatFailedAreRecordedOnceTheTrailWorksAgain(t *testing.T) {
	var trail sinktest.Recorder
	client, _, _ := start(t, &trail)
	trail.FailNext(3, driver.Permanent(errors.New("no")))
	for range 3 {
		get(t, client, metadataService)
	}
	for range 2 {
		if status, _ := get(t, client, metadataService); status != http.StatusForbidden {
			t.Errorf("answer %d, want 403", status)
		}
	}
	found := gaps(t, &trail)
	if len(found) != 1 || len(trail.Events()) != 3 {
		t.Fatalf("%d of %d events are about failed writes, want 1 of 3", len(found), len(trail.Events()))
	}
	s := found[0].Spec
	if s.Count != 3 || s.Detail["sink"] != "recorder" || s.Detail["class"] != "permanent" ||
		s.Reason != "decisions that could not be recorded: 3, the last one: permanent" {
		t.Errorf("recorded %d, %v, %q", s.Count, s.Detail, s.Reason)
	}
}

// refusing is a trail that takes every kind but one.
type refusing struct {
	auditing.Sink

	kind v1alpha1.AuditKind
}

func (r refusing) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	if ae.Spec.Kind == r.kind {
		return errors.New("refused")
	}
	return r.Sink.Write(ctx, ae)
}

func TestAGapThatCannotBeRecordedStaysCounted(t *testing.T) {
	var trail sinktest.Recorder
	f := &failures{next: &trail, namespace: "team-a", run: "hr-1"}
	event := func() *v1alpha1.AuditEvent {
		return auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", Host: "h"})
	}
	trail.FailNext(2, errors.New("down"))
	for range 2 {
		if f.Write(t.Context(), event()) == nil {
			t.Fatal("Write returned nil")
		}
	}
	// The write succeeds, and the event about the gap does not.
	f.next = refusing{Sink: &trail, kind: kindAuditWriteFailed}
	if err := f.Write(t.Context(), event()); err != nil {
		t.Fatalf("Write returned the error of the other event: %v", err)
	}
	if n := len(gaps(t, &trail)); n != 0 {
		t.Fatalf("%d events are about failed writes, want none yet", n)
	}
	f.next = &trail
	if err := f.Write(t.Context(), event()); err != nil {
		t.Fatal(err)
	}
	if found := gaps(t, &trail); len(found) != 1 || found[0].Spec.Count != 2 {
		t.Errorf("%d events are about failed writes, want 1 about 2", len(found))
	}
}

func TestWritersAtOnceRecordAGapTogetherAndNothingTwice(t *testing.T) {
	var trail sinktest.Recorder
	f := &failures{next: &trail, namespace: "team-a", run: "hr-1"}
	const writers, failing = 64, 40
	trail.FailNext(failing, errors.New("down"))
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			_ = f.Write(t.Context(), auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", Host: "h"}))
		})
	}
	wg.Wait()
	// The failure of an event about a gap counts for that event alone.
	if err := f.Write(t.Context(), auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", Host: "h"})); err != nil {
		t.Fatal(err)
	}
	var counted, decisions int32
	for _, ae := range gaps(t, &trail) {
		counted += ae.Spec.Count
	}
	decisions = int32(len(trail.Events()) - len(gaps(t, &trail)))
	if counted+decisions != writers+1 {
		t.Errorf("%d decisions are recorded and %d are counted as missing, together want %d", decisions, counted, writers+1)
	}
}
