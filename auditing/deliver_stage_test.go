package auditing

import (
	"context"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// What a stage has prepared is not prepared again behind it, but for what the
// sink there asks for and the stage did not.
func TestASinkBehindAStageStillGetsWhatItAsksFor(t *testing.T) {
	behind := func(t Target) Transport {
		return func(ctx context.Context, ae *v1alpha1.AuditEvent) error { return Deliver(ctx, t, ae, discard) }
	}
	stage := Target{Sink: "stage", Stage: true}

	ae := NewEgressBlock(egressInput)
	if err := Deliver(t.Context(), stage, ae, behind(Target{Sink: "sink", Component: "proxy"})); err != nil {
		t.Fatal(err)
	}
	if got := ae.Labels[v1alpha1.LabelComponent]; got != "proxy" {
		t.Errorf("the component is %q, want that of the sink", got)
	}

	ae = NewEgressBlock(egressInput)
	ae.Namespace = ""
	err := Deliver(t.Context(), stage, ae, behind(Target{Sink: "sink", Namespaced: true}))
	if class, _ := ClassOf(err); class != ClassPermanent {
		t.Errorf("a sink of namespaced objects answers %v to an event without one", err)
	}

	invalid := NewEgressBlock(egressInput)
	err = Deliver(t.Context(), stage, ae, func(ctx context.Context, _ *v1alpha1.AuditEvent) error {
		invalid.Spec.Kind = ""
		return behind(Target{Sink: "sink"})(ctx, invalid)
	})
	if class, _ := ClassOf(err); class != ClassPermanent {
		t.Errorf("another event than the stage prepared passes unchecked: %v", err)
	}
}
