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

// keeping is a stage that hands its event to next, and keeps it.
func keeping(t *testing.T, ae *v1alpha1.AuditEvent, next Transport) *v1alpha1.AuditEvent {
	t.Helper()
	var kept *v1alpha1.AuditEvent
	err := Deliver(t.Context(), Target{Sink: "fan", Stage: true, Keep: true}, ae, func(ctx context.Context, ae *v1alpha1.AuditEvent) error {
		kept = ae
		return next(ctx, ae)
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestAStageThatKeepsTheEventHasACopy(t *testing.T) {
	ae := NewEvent(eventInput)
	kept := keeping(t, ae, discard)
	own := indented(t, kept)
	if own != indented(t, ae) || ae.Name == "" {
		t.Errorf("the copy is %s of %s", own, indented(t, ae))
	}
	ae.Spec.Detail["quota"], ae.Labels[v1alpha1.LabelRun], ae.Spec.RunRef.Name = "changed", "changed", "changed"
	if indented(t, kept) != own {
		t.Error("the caller's changes reach the copy")
	}
}

func TestSinksBehindAStageThatKeepsShareItsEventAndChangeNothingOfIt(t *testing.T) {
	var seen []*v1alpha1.AuditEvent
	see := func(_ context.Context, ae *v1alpha1.AuditEvent) error {
		seen = append(seen, ae)
		return nil
	}
	var before string
	kept := keeping(t, NewEvent(eventInput), func(ctx context.Context, ae *v1alpha1.AuditEvent) error {
		before = indented(t, ae)
		for _, target := range []Target{
			{Sink: "sink"},
			{Sink: "inner fan", Stage: true, Keep: true},
			{Sink: "sink of a component", Component: "proxy"},
		} {
			if err := Deliver(ctx, target, ae, see); err != nil {
				return err
			}
		}
		return nil
	})
	if seen[0] != kept || seen[1] != kept {
		t.Error("a sink that asks for nothing more does not get the shared event")
	}
	if seen[2] == kept || seen[2].Labels[v1alpha1.LabelComponent] != "proxy" || seen[2].Name != kept.Name {
		t.Errorf("a sink with a component gets %s", indented(t, seen[2]))
	}
	if indented(t, kept) != before {
		t.Errorf("the shared event was %s, and is %s", before, indented(t, kept))
	}
}

func TestAStageBehindOneThatKeepsNothingStillGetsACopyToKeep(t *testing.T) {
	ae := NewEvent(eventInput)
	var kept *v1alpha1.AuditEvent
	err := Deliver(t.Context(), Target{Sink: "retry", Stage: true}, ae, func(ctx context.Context, handed *v1alpha1.AuditEvent) error {
		return Deliver(ctx, Target{Sink: "fan", Stage: true, Keep: true}, handed, func(_ context.Context, ae *v1alpha1.AuditEvent) error {
			kept = ae
			return nil
		})
	})
	if err != nil || kept == ae {
		t.Errorf("error %v; the caller's own event is kept: %t", err, kept == ae)
	}
}
