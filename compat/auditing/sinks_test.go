package auditing

import (
	"context"
	"errors"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// A program of the old package makes its sinks like this.
var (
	_ Sink = &KubeSink{Client: client.Client(nil), Component: "broker"}
	_ Sink = KubeSink{}
	_ Sink = NoopSink{}
	_ Sink = &NoopSink{}
)

func TestErrorsAreFoundUnderTheOldNameAndTheNew(t *testing.T) {
	err := (&KubeSink{Component: "broker"}).Write(context.Background(), issued())
	if !errors.Is(err, ErrAuditWrite) || !errors.Is(err, auditing.ErrAuditWrite) {
		t.Errorf("error %v of a sink without a client", err)
	}
}

func TestNoopSinkLeavesTheEventAlone(t *testing.T) {
	ae := issued()
	if err := (NoopSink{}).Write(t.Context(), ae); err != nil || ae.Name != "" || ae.Annotations != nil {
		t.Errorf("error %v, event %+v", err, ae.ObjectMeta)
	}
}

func issued() *v1alpha1.AuditEvent {
	return NewCredentialIssued(CredentialIssuedInput{RunName: "hr-1", Namespace: "team-a", CredentialName: "DEMO_TOKEN"})
}
