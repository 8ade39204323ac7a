package audithttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/paddock-dev/audit/adapters/audithttp"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

func Example() {
	var sink sinktest.Recorder // yours stores them
	broker := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ae := auditing.NewCredentialIssued(auditing.CredentialIssuedInput{RunName: "hr-1", Namespace: "team-a", CredentialName: "TOKEN"})
		if err := sink.Write(r.Context(), ae); err != nil {
			http.Error(w, "audit trail unavailable", http.StatusServiceUnavailable)
		}
	})
	handler := audithttp.Handler(broker, audithttp.Options{
		RequestIDHeader: "X-Request-Id",
		User:            func(r *http.Request) (string, []string) { name, _, _ := r.BasicAuth(); return name, nil },
	})

	request := httptest.NewRequest(http.MethodPost, "/credential", http.NoBody)
	request.SetBasicAuth("alice", "not in the trail")
	request.Header.Set("X-Request-Id", "7f3a")
	handler.ServeHTTP(httptest.NewRecorder(), request)

	spec := sink.Events()[0].Spec
	fmt.Println(spec.Actor.User, spec.Actor.SourceAddress, spec.Request.ID, spec.Request.Verb)
	// Output: alice 192.0.2.1 7f3a POST
}
