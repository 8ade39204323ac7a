package main

import (
	"crypto/rand"
	"fmt"
	"net/http"

	"github.com/paddock-dev/audit/auditing"
)

// broker issues credentials, each only when its event is stored. audit.yaml says that a
// refusal holds with or without its event.
type broker struct {
	trail    auditing.Sink
	policies map[string]string // the policy that allows a credential, by the credential's name
}

func (b *broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	run, namespace, name := q.Get("run"), q.Get("namespace"), q.Get("name")
	policy, allowed := b.policies[name]
	ae := auditing.NewCredentialDenied(auditing.CredentialDeniedInput{
		RunName: run, Namespace: namespace, CredentialName: name, Provider: "demo", Reason: "no policy allows it",
	})
	if allowed {
		ae = auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
			RunName: run, Namespace: namespace, CredentialName: name, Provider: "demo", MatchedPolicy: policy, Reason: "asked for",
		})
	}
	err := b.trail.Write(r.Context(), ae)
	switch {
	case err != nil:
		http.Error(w, "audit trail unavailable", http.StatusServiceUnavailable)
	case !allowed:
		http.Error(w, "no policy allows this credential", http.StatusForbidden)
	default:
		fmt.Fprintln(w, rand.Text()) // issued only now
	}
}
