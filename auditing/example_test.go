package auditing_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
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

// fullDisk stands for a destination that is down.
type fullDisk struct{ driver.Base }

func (fullDisk) Info() driver.Info { return driver.Info{Name: "file"} }

func (fullDisk) Store(_ context.Context, events []*driver.Event) []error {
	return driver.All(len(events), errors.New("no space left on device"))
}

// A request whose client hangs up still leaves its event, and a warning may be lost.
func ExampleWithRules() {
	sink := auditing.WithRules(driver.New(fullDisk{}), auditing.Rules{
		Timeout: 3 * time.Second, Detach: true,
		FailOpen: []v1alpha1.AuditDecision{v1alpha1.AuditDecisionWarned},
		OnFailure: func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
			fmt.Println("not recorded:", ae.Spec.Kind, err)
		},
	})
	fmt.Println(auditing.Chain(sink))
	// Output: rules[timeout 3s, detached, fails open for warned](file)
}

// A controller goes on when its trail fails, and says so in its log.
func ExampleFailOpen() {
	sink := auditing.FailOpen(driver.New(fullDisk{}), func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
		class, _ := driver.ClassOf(err)
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

// A program with a kind of its own counts it under its name, at its start.
func ExampleRegisterKinds() {
	fmt.Println(auditing.RegisterKinds("quota-exceeded"))
	fmt.Println(auditing.RegisterKinds("Quota Exceeded") != nil)
	// Output:
	// <nil>
	// true
}

// Each kind of this project has a builder, which implies the kind and the decision.
func Example_builders() {
	for _, ae := range []*v1alpha1.AuditEvent{
		auditing.NewCredentialRevoked(auditing.CredentialRevokedInput{RunName: "hr-1", CredentialName: "DEPLOY_TOKEN", Provider: "Vault"}),
		auditing.NewCredentialRenewalFailed(auditing.CredentialRenewalFailedInput{RunName: "hr-1", Provider: "Vault", LeaseID: "l-1", Error: "expired"}),
		auditing.NewEgressDiscoveryAllow(auditing.EgressInput{RunName: "hr-1", Host: "example.com", Port: 443}),
		auditing.NewBrokerUnavailable(auditing.BrokerUnavailableInput{RunName: "hr-1", Endpoint: "https://broker", Error: "no route to host"}),
		auditing.NewCAProjected(auditing.CAProjectionInput{RunName: "hr-1", SecretName: "hr-1-ca"}),
		auditing.NewCAMisconfigured(auditing.CAMisconfiguredInput{Name: "workspace-1", Reason: "the issuer has no key"}),
		auditing.NewNetworkPolicyEnforcementWithdrawn(auditing.NetworkPolicyEnforcementWithdrawnInput{RunName: "hr-1"}),
		auditing.NewInterceptionModeCooperativeAccepted(auditing.InterceptionInput{RunName: "hr-1", MatchedPolicy: "lenient"}),
		auditing.NewPromptCompleted(auditing.PromptCompletedInput{RunName: "hr-1", TurnSeq: 1, DurationMs: 1200, EventCount: 7, Outcome: "ok"}),
		auditing.NewShellSessionClosed(auditing.ShellClosedInput{RunName: "hr-1", SessionID: "s-1", DurationMs: 60000, ByteCount: 512}),
		auditing.NewInteractiveRunTerminated(auditing.InteractiveRunTerminatedInput{RunName: "hr-1", Reason: "error"}),
	} {
		fmt.Println(ae.Spec.Decision, ae.Spec.Kind)
	}
	// Output:
	// granted credential-revoked
	// denied credential-renewal-failed
	// granted egress-discovery-allow
	// denied broker-unavailable
	// granted ca-projected
	// denied ca-misconfigured
	// warned network-policy-enforcement-withdrawn
	// granted interception-mode-cooperative-accepted
	// granted prompt-completed
	// granted shell-session-closed
	// warned interactive-run-terminated
}
