package auditing_test

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/compat/auditing"
)

// A broker that was written for the old package, with another import path.
func Example() {
	var c client.Client // of the API server; without one, no event can be stored
	var sink auditing.Sink = &auditing.KubeSink{Client: c, Component: "broker"}

	err := sink.Write(context.Background(), auditing.NewCredentialDenied(auditing.CredentialDeniedInput{
		RunName: "hr-1", Namespace: "team-a", CredentialName: "DEMO_TOKEN", Reason: "no policy allows it",
	}))
	if errors.Is(err, auditing.ErrAuditWrite) {
		fmt.Println("503 audit trail unavailable")
	}
	// Output: 503 audit trail unavailable
}
