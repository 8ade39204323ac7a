package auditing

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

const (
	ns     = "team-a"
	run    = "hr-1"
	policy = "demo-policy"
	reason = "no policy allows api.example.com:443"
	bot    = "system:serviceaccount:team-a:user-bot"
)

var (
	noon  = time.Date(2026, 4, 25, 12, 0, 0, 123456789, time.UTC)
	owner = metav1.NewControllerRef(&metav1.ObjectMeta{Name: run, UID: "abc"},
		v1alpha1.GroupVersion.WithKind("HarnessRun"))
	samples = []v1alpha1.AuditDestination{{Host: "a.example.com", Port: 443}, {Host: "b.example.com", Port: 80}}
)

// builders has every builder of the package, with an input whose every field is
// set as in real use.
var builders = map[string]builder{
	"NewBrokerCredsTampered": of(NewBrokerCredsTampered, BrokerCredsTamperedInput{
		run, ns, []string{"EXTRA_VAR", "INJECTED"}, noon,
	}),
	"NewBrokerUnavailable": of(NewBrokerUnavailable, BrokerUnavailableInput{
		run, ns, "https://broker:8443", "connection refused", reason, noon,
	}),
	"NewCAMisconfigured":          of(NewCAMisconfigured, CAMisconfiguredInput{"seed-ws-1", ns, reason, noon}),
	"NewCAProjected":              of(NewCAProjected, CAProjectionInput{run, ns, "hr-1-broker-ca", reason, noon}),
	"NewCredentialDenied":         of(NewCredentialDenied, CredentialDeniedInput{run, ns, "TOKEN", "Vault", policy, reason, noon}),
	"NewCredentialIssued":         of(NewCredentialIssued, CredentialIssuedInput{run, ns, "TOKEN", "Vault", policy, reason, noon, 12}),
	"NewCredentialRenewalFailed":  of(NewCredentialRenewalFailed, CredentialRenewalFailedInput{run, ns, "Vault", "lease-7", "lease expired", noon}),
	"NewCredentialRenewed":        of(NewCredentialRenewed, CredentialRenewedInput{run, ns, "Vault", "lease-7", noon.Add(time.Hour), noon}),
	"NewCredentialRevoked":        of(NewCredentialRevoked, CredentialRevokedInput{run, ns, "TOKEN", "Vault", policy, reason, noon}),
	"NewEgressAllow":              of(NewEgressAllow, egressInput),
	"NewEgressBlock":              of(NewEgressBlock, egressInput),
	"NewEgressDiscoveryAllow":     of(NewEgressDiscoveryAllow, egressInput),
	"NewEgressBlockSummary":       of(NewEgressBlockSummary, EgressSummaryInput{run, ns, 1200, noon.Add(-time.Minute), noon, samples, "", policy, reason, noon}),
	"NewEvent":                    of(NewEvent, eventInput),
	"NewInteractiveRunTerminated": of(NewInteractiveRunTerminated, InteractiveRunTerminatedInput{run, ns, "idle", "", noon}),
	"NewInterceptionModeCooperativeAccepted": of(NewInterceptionModeCooperativeAccepted, InterceptionInput{
		run, ns, policy, reason, noon,
	}),
	"NewNetworkPolicyEnforcementWithdrawn": of(NewNetworkPolicyEnforcementWithdrawn, NetworkPolicyEnforcementWithdrawnInput{
		run, ns, reason, noon,
	}),
	"NewPolicyApplied":      of(NewPolicyApplied, AdmissionInput{run, ns, "echo", reason, noon, owner}),
	"NewPolicyRejected":     of(NewPolicyRejected, AdmissionInput{run, ns, "echo", reason, noon, owner}),
	"NewPromptCompleted":    of(NewPromptCompleted, PromptCompletedInput{run, ns, 1300, 420000, 2700, "ok", noon}),
	"NewPromptSubmitted":    of(NewPromptSubmitted, PromptAuditInput{run, ns, bot, "sha256:abc", 14200, 1300, noon}),
	"NewRunCompleted":       of(NewRunCompleted, RunDecisionInput{run, ns, reason, "", noon}),
	"NewRunFailed":          of(NewRunFailed, RunDecisionInput{run, ns, reason, "", noon}),
	"NewShellSessionClosed": of(NewShellSessionClosed, ShellClosedInput{run, ns, "shellsess-abc", 420000, 98765, noon}),
	"NewShellSessionOpened": of(NewShellSessionOpened, ShellOpenedInput{
		run, ns, "shellsess-abc", bot, "agent", []string{"sh", "-c", "echo 'a b'"}, noon,
	}),
}

var egressInput = EgressInput{
	RunName: run, Namespace: ns, Host: "api.example.com", Port: 443,
	MatchedPolicy: policy, Reason: reason, When: noon,
}

var eventInput = EventInput{
	Kind: "quota-exceeded", Decision: v1alpha1.AuditDecisionDenied, RunName: run, Namespace: ns, Reason: reason,
	MatchedPolicy: policy, Host: "api.example.com", Port: 443,
	CredentialName: "TOKEN", Provider: "Vault", Purpose: "push",
	Count: 3, WindowStart: noon.Add(-time.Minute), WindowEnd: noon,
	Detail: map[string]string{"quota": "10"}, OwnerRef: owner, When: noon,
}

// literalEvent is what NewEgressBlock saves its callers from, as the measure of
// what a builder costs.
func literalEvent() *v1alpha1.AuditEvent {
	return &v1alpha1.AuditEvent{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ns, GenerateName: "ae-egress-",
			Labels: map[string]string{
				v1alpha1.LabelRun: run, v1alpha1.LabelDecision: "denied", v1alpha1.LabelKind: "egress-block",
			},
		},
		Spec: v1alpha1.AuditEventSpec{
			RunRef:        &v1alpha1.LocalReference{Name: run},
			Decision:      v1alpha1.AuditDecisionDenied,
			Kind:          v1alpha1.AuditKindEgressBlock,
			Timestamp:     metav1.NewTime(noon),
			Destination:   &v1alpha1.AuditDestination{Host: "api.example.com", Port: 443},
			MatchedPolicy: &v1alpha1.LocalReference{Name: policy},
			Reason:        reason,
		},
	}
}
