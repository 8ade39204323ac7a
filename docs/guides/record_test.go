package guides_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/paddock-dev/audit/adapters/audithttp"
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

// broker hands out credentials that its policy allows.
type broker struct{ trail auditing.Sink }

func (b *broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	if name != "DEPLOY_TOKEN" {
		denied := auditing.NewCredentialDenied(auditing.CredentialDeniedInput{
			RunName: "hr-1", Namespace: "team-a", CredentialName: name, Reason: "no policy allows it",
		})
		if err := b.trail.Write(r.Context(), denied); err != nil {
			http.Error(w, "audit trail unavailable", http.StatusServiceUnavailable)
			return
		}
		http.Error(w, "no policy allows it", http.StatusForbidden)
		return
	}
	issued := auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		RunName: "hr-1", Namespace: "team-a", CredentialName: name, MatchedPolicy: "deployers", Reason: "allowed by deployers",
	})
	if err := b.trail.Write(r.Context(), issued); err != nil {
		http.Error(w, "audit trail unavailable", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "the credential") // no earlier than its record
}

func Example_record() {
	var trail sinktest.Recorder // a sink for tests: it keeps events in memory
	handler := audithttp.Handler(&broker{&trail}, audithttp.Options{RequestIDHeader: "X-Request-Id"})
	ask := func(name string) {
		r := httptest.NewRequest(http.MethodPost, "/credential?name="+name, http.NoBody)
		r.Header.Set("X-Request-Id", "req-"+name)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	ask("DEPLOY_TOKEN")
	ask("ROOT_TOKEN")
	trail.FailWith(errors.New("disk full"))
	ask("DEPLOY_TOKEN")
	for _, ae := range trail.Events() {
		fmt.Println(ae.Spec.Decision, ae.Spec.Kind, ae.Spec.Credential.Name, ae.Spec.Request.ID)
	}
	// Output:
	// 200 the credential
	// 403 no policy allows it
	// 503 audit trail unavailable
	// granted credential-issued DEPLOY_TOKEN req-DEPLOY_TOKEN
	// denied credential-denied ROOT_TOKEN req-ROOT_TOKEN
}

func Example_record_kind() {
	if err := auditing.RegisterKinds("quota-exceeded"); err != nil { // once, at the start of the program
		fmt.Println(err)
		return
	}
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: "quota-exceeded", Decision: v1alpha1.AuditDecisionDenied, RunName: "hr-11", Namespace: "team-a",
		Reason: "10 runs of 10 are running", Detail: map[string]string{"quota": "10"},
	})
	fmt.Println(ae.Spec.Decision, ae.Spec.Kind, ae.Spec.Detail)
	// Output: denied quota-exceeded map[quota:10]
}
