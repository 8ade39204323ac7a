package auditing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

func failing(err error) Transport {
	return func(context.Context, *v1alpha1.AuditEvent) error { return err }
}

// writeError returns the *WriteError of err, which must wrap ErrAuditWrite.
func writeError(t *testing.T, err error) *WriteError {
	t.Helper()
	var failed *WriteError
	if !errors.Is(err, ErrAuditWrite) || !errors.As(err, &failed) {
		t.Fatalf("error %v does not wrap ErrAuditWrite in a *WriteError", err)
	}
	return failed
}

func TestDeliverWrapsTheCauseSoThatItCanStillBeToldWhatItIs(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "auditevents"}, "ae-1", errRefused)
	ae := NewEgressBlock(egressInput)
	err := Deliver(t.Context(), Target{Sink: "kube", Component: "proxy"}, ae, failing(Permanent(forbidden)))
	got := writeError(t, err)
	if !apierrors.IsForbidden(err) {
		t.Errorf("IsForbidden does not hold for %v", err)
	}
	want := WriteError{Sink: "kube", Event: ns + "/" + ae.Name, Component: "proxy", Class: ClassPermanent, Err: got.Err}
	if *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}
}

func TestDeliverHandsTheTransportAnEventThatIsIdentifiedAndFits(t *testing.T) {
	in := egressInput
	in.Reason = text(5000)
	ae := NewEgressBlock(in)
	err := Deliver(t.Context(), Target{Sink: "test", Component: "proxy"}, ae, func(_ context.Context, got *v1alpha1.AuditEvent) error {
		if got.Name == "" || got.Name != ae.Name || got.Labels[v1alpha1.LabelComponent] != "proxy" || utf8.RuneCountInString(got.Spec.Reason) > v1alpha1.MaxReasonLength {
			t.Errorf("the transport is handed %s", indented(t, got))
		}
		return nil
	})
	if err != nil || len(ae.Spec.Reason) != 5000 {
		t.Errorf("error %v; the caller's reason has %d bytes", err, len(ae.Spec.Reason))
	}
}

func TestDeliveredTwiceAnEventHasOneIdentity(t *testing.T) {
	ae := NewEgressBlock(egressInput)
	var got []*v1alpha1.AuditEvent
	for _, result := range []error{errRefused, nil} {
		_ = Deliver(t.Context(), Target{Sink: "test"}, ae, func(_ context.Context, ae *v1alpha1.AuditEvent) error {
			got = append(got, ae.DeepCopy())
			return result
		})
	}
	if len(got) != 2 || !reflect.DeepEqual(got[0], got[1]) {
		t.Errorf("first %s, then %s", indented(t, got[0]), indented(t, got[1]))
	}
}

func TestDeliverRefusesAnInvalidEventWithoutCallingTheTransport(t *testing.T) {
	for _, ae := range []*v1alpha1.AuditEvent{nil, {}, NewEvent(EventInput{Kind: "a", Decision: "maybe"})} {
		err := Deliver(t.Context(), Target{Sink: "test"}, ae, func(context.Context, *v1alpha1.AuditEvent) error {
			t.Error("the transport is called")
			return nil
		})
		if failed := writeError(t, err); failed.Class != ClassPermanent {
			t.Errorf("class %s: %v", failed.Class, err)
		}
	}
}

func TestAContextThatHasEndedIsATimeoutAndNothingIsSent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ae := NewEgressBlock(egressInput)
	err := Deliver(ctx, Target{Sink: "test"}, ae, func(context.Context, *v1alpha1.AuditEvent) error {
		t.Error("the transport is called")
		return nil
	})
	if failed := writeError(t, err); failed.Class != ClassTimeout || !errors.Is(err, context.Canceled) {
		t.Errorf("class %s: %v", failed.Class, err)
	}
	if ae.Name == "" {
		t.Error("the event that was not sent has no identity, so a retry would give it another one")
	}
}

func TestAnErrorOfAnEndedContextIsATimeoutWhateverTheClientCallsIt(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	err := Deliver(ctx, Target{Sink: "test"}, NewEgressBlock(egressInput), func(context.Context, *v1alpha1.AuditEvent) error {
		cancel(io.EOF)
		return errRefused
	})
	if failed := writeError(t, err); failed.Class != ClassTimeout || !errors.Is(err, context.Canceled) || !errors.Is(err, errRefused) {
		t.Errorf("class %s: %v", failed.Class, err)
	}
}

func TestWhatATransportAcknowledgedCountsThoughTheContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Deliver(ctx, Target{Sink: "test"}, NewEgressBlock(egressInput), func(context.Context, *v1alpha1.AuditEvent) error {
		cancel()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAPanicOfTheTransportIsAnError(t *testing.T) {
	var nothing map[string]string
	for want, send := range map[string]Transport{
		"panic: boom": func(context.Context, *v1alpha1.AuditEvent) error { panic("boom") },
		"nil map":     func(context.Context, *v1alpha1.AuditEvent) error { nothing["a"] = "b"; return nil },
		"nil pointer": nil,
	} {
		err := Deliver(t.Context(), Target{Sink: "test"}, NewEgressBlock(egressInput), send)
		if failed := writeError(t, err); failed.Class != ClassPermanent || !strings.Contains(err.Error(), want) {
			t.Errorf("class %s: %v", failed.Class, err)
		}
	}
}

func TestAPanicWithAnErrorUnwrapsToIt(t *testing.T) {
	err := Deliver(t.Context(), Target{Sink: "test"}, NewEgressBlock(egressInput),
		func(context.Context, *v1alpha1.AuditEvent) error { panic(fmt.Errorf("client: %w", errRefused)) })
	if !errors.Is(err, errRefused) {
		t.Errorf("%v does not unwrap to what was thrown", err)
	}
}

func TestAComponentIsStampedOverWhatTheEventHad(t *testing.T) {
	ae := NewEgressBlock(egressInput)
	ae.Labels[v1alpha1.LabelComponent] = "forged"
	if err := Deliver(t.Context(), Target{Sink: "test", Component: "proxy"}, ae, discard); err != nil {
		t.Fatal(err)
	}
	if got := ae.Labels[v1alpha1.LabelComponent]; got != "proxy" {
		t.Errorf("component %q", got)
	}
	// A sink without a component, a stage say, leaves the one that is there.
	if err := Deliver(t.Context(), Target{Sink: "test"}, ae, discard); err != nil {
		t.Fatal(err)
	}
	if got := ae.Labels[v1alpha1.LabelComponent]; got != "proxy" {
		t.Errorf("component %q", got)
	}
}
