package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	paddockv1alpha1 "github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/compat/auditing"
)

// broker issues credentials, each only when its event is stored. A refusal holds with or
// without its event.
type broker struct {
	trail    auditing.Sink
	policies map[string]string // the policy that allows a credential, by the credential's name
}

func (b *broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	run, namespace, name := q.Get("run"), q.Get("namespace"), q.Get("name")
	policy, allowed := b.policies[name]
	if !allowed {
		_ = b.record(r.Context(), auditing.NewCredentialDenied(auditing.CredentialDeniedInput{
			RunName: run, Namespace: namespace, CredentialName: name, Provider: "demo", Reason: "no policy allows it",
		})) // it is logged
		http.Error(w, "no policy allows this credential", http.StatusForbidden)
		return
	}
	err := b.record(r.Context(), auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		RunName: run, Namespace: namespace, CredentialName: name, Provider: "demo", MatchedPolicy: policy, Reason: "asked for",
	}))
	if errors.Is(err, auditing.ErrAuditWrite) {
		http.Error(w, "audit trail unavailable", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, rand.Text()) // issued only now
}

func (b *broker) record(ctx context.Context, ae *paddockv1alpha1.AuditEvent) error {
	err := b.trail.Write(ctx, ae)
	if err != nil {
		slog.Error("no record", "kind", ae.Spec.Kind, "error", err)
	}
	return err
}
