package auditing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// A broker records that it issues a credential before it hands it out, and
// refuses when it cannot.
func Example() {
	var sink auditing.Sink = auditing.NoopSink{} // a real one in a real component

	err := sink.Write(context.Background(), auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		RunName: "hr-1", Namespace: "team-a",
		CredentialName: "DEPLOY_TOKEN", Provider: "Vault", MatchedPolicy: "deployers",
		Reason: "policy deployers allows DEPLOY_TOKEN",
	}))
	if errors.Is(err, auditing.ErrAuditWrite) {
		fmt.Println("503: the audit trail is unavailable")
		return
	}
	fmt.Println("200: here is the credential")
	// Output: 200: here is the credential
}

// fileSink is a destination of one's own: what it adds to Deliver is how to
// store an event.
type fileSink struct{ w io.Writer }

func (s fileSink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return auditing.Deliver(ctx, auditing.Target{Sink: "file"}, ae,
		func(_ context.Context, ae *v1alpha1.AuditEvent) error {
			return json.NewEncoder(s.w).Encode(ae.Spec)
		})
}

func ExampleDeliver() {
	sink := fileSink{os.Stdout}
	at := time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)
	err := sink.Write(context.Background(), auditing.NewEgressBlock(auditing.EgressInput{
		RunName: "hr-1", Namespace: "team-a", Host: "example.com", Port: 443, When: at,
	}))
	fmt.Println(err)

	// What makes an event unfit for any destination is refused before it gets here.
	err = sink.Write(context.Background(), auditing.NewEvent(auditing.EventInput{Decision: "granted", When: at}))
	fmt.Println(errors.Is(err, auditing.ErrAuditWrite))
	// Output:
	// {"runRef":{"name":"hr-1"},"decision":"denied","kind":"egress-block","timestamp":"2026-04-25T12:00:00Z","destination":{"host":"example.com","port":443}}
	// <nil>
	// true
}

// fullDisk stands for a destination that is down.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// A controller goes on when its trail fails, and says so in its log.
func ExampleFailOpen() {
	sink := auditing.FailOpen(fileSink{fullDisk{}}, func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
		class, _ := auditing.ClassOf(err)
		fmt.Println("not recorded:", ae.Spec.Kind, class)
	})
	err := sink.Write(context.Background(), auditing.NewRunFailed(auditing.RunDecisionInput{
		RunName: "hr-1", Namespace: "team-a", Reason: "image not found",
	}))
	fmt.Println(err)
	// Output:
	// not recorded: run-failed transient
	// <nil>
}

// A component outside this project records a kind of its own.
func ExampleNewEvent() {
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: "quota-exceeded", Decision: v1alpha1.AuditDecisionDenied,
		RunName: "hr-1", Namespace: "team-a", Reason: "10 runs of 10 are running",
		Detail: map[string]string{"quota": "10"},
	})
	fmt.Println(ae.Spec.Kind, ae.Spec.Decision, ae.Spec.RunRef.Name, ae.Spec.Detail)
	// Output: quota-exceeded denied hr-1 map[quota:10]
}
