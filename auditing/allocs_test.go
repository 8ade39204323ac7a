//go:build !race

package auditing

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// maxAllocs is what a builder may allocate: the event with what most of its
// references point to, and two for each map. What takes more is listed.
const maxAllocs = 3

var moreAllocs = map[string]float64{
	"NewBrokerCredsTampered":      3, // detail, and the text of reason and detail
	"NewBrokerUnavailable":        2, // detail
	"NewCAProjected":              2,
	"NewCredentialRenewalFailed":  2,
	"NewCredentialRenewed":        3, // detail, and the text of the expiry
	"NewEgressBlockSummary":       1, // samples
	"NewEvent":                    3, // detail and owner
	"NewInteractiveRunTerminated": 2,
	"NewPolicyApplied":            3,
	"NewPolicyRejected":           3,
	"NewPromptCompleted":          3, // detail, and the text of its numbers
	"NewPromptSubmitted":          3,
	"NewShellSessionClosed":       3,
	"NewShellSessionOpened":       3, // detail, and the command as one line
}

func TestABuilderAllocatesNoMoreThanItsEvent(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(builders)) {
		build := builders[name].ordinary
		if got, want := testing.AllocsPerRun(100, func() { sinkEvent = build() }), maxAllocs+moreAllocs[name]; got > want {
			t.Errorf("%s makes %v allocations, want at most %v", name, got, want)
		}
	}
}

func TestDeliverAllocatesForTheIdentityOfANewEventAndForNothingElse(t *testing.T) {
	ctx := t.Context()
	sink := Target{Sink: "discard", Component: "proxy", Namespaced: true}
	deliver := func(target Target, send Transport, ae *v1alpha1.AuditEvent) float64 {
		return testing.AllocsPerRun(100, func() {
			if err := Deliver(ctx, target, ae, send); err != nil {
				t.Fatal(err)
			}
		})
	}
	again := NewEgressBlock(egressInput)
	if got := deliver(sink, discard, again); got != 0 {
		t.Errorf("an event that has its name: %v allocations", got)
	}
	onward := func(ctx context.Context, ae *v1alpha1.AuditEvent) error { return Deliver(ctx, sink, ae, discard) }
	if got := deliver(Target{Sink: "stage", Component: "proxy", Stage: true}, onward, again); got > 1 {
		t.Errorf("a stage: %v allocations, want 1 for the context", got)
	}
	// Name and time in one text, and two for the map of annotations.
	got := testing.AllocsPerRun(100, func() {
		again.Name, again.Annotations = "", nil // as a builder leaves them
		if err := Deliver(ctx, sink, again, discard); err != nil {
			t.Fatal(err)
		}
	})
	if got > 3 {
		t.Errorf("a new event: %v allocations, want at most 3", got)
	}
}

func TestACloneAllocatesItsMapsAndOneMore(t *testing.T) {
	ae := NewRunFailed(RunDecisionInput{RunName: run, Namespace: ns, Reason: reason, When: noon})
	if err := identify(ae, "controller"); err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(100, func() { sinkEvent = clone(ae) }); got > 5 {
		t.Errorf("%v allocations, want at most 5", got)
	}
}
