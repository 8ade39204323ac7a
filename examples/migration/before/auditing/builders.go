package auditing

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	paddockv1alpha1 "github.com/paddock-dev/audit/examples/migration/before/api/v1alpha1"
)

// CredentialIssuedInput is what NewCredentialIssued takes.
type CredentialIssuedInput struct {
	RunName        string
	Namespace      string
	CredentialName string
	Provider       string
	MatchedPolicy  string
	Reason         string
	When           time.Time
	Count          int32
}

// NewCredentialIssued builds a credential-issued event, granted.
func NewCredentialIssued(in CredentialIssuedInput) *paddockv1alpha1.AuditEvent {
	ae := newCredential(paddockv1alpha1.AuditKindCredentialIssued, paddockv1alpha1.AuditDecisionGranted, CredentialDeniedInput{
		RunName: in.RunName, Namespace: in.Namespace, CredentialName: in.CredentialName, Provider: in.Provider,
		MatchedPolicy: in.MatchedPolicy, Reason: in.Reason, When: in.When,
	})
	ae.Spec.Count = in.Count
	return ae
}

// CredentialDeniedInput is what NewCredentialDenied takes.
type CredentialDeniedInput struct {
	RunName        string
	Namespace      string
	CredentialName string
	Provider       string
	MatchedPolicy  string
	Reason         string
	When           time.Time
}

// NewCredentialDenied builds a credential-denied event, denied.
func NewCredentialDenied(in CredentialDeniedInput) *paddockv1alpha1.AuditEvent {
	return newCredential(paddockv1alpha1.AuditKindCredentialDenied, paddockv1alpha1.AuditDecisionDenied, in)
}

func newCredential(kind paddockv1alpha1.AuditKind, decision paddockv1alpha1.AuditDecision, in CredentialDeniedInput) *paddockv1alpha1.AuditEvent {
	when := in.When
	if when.IsZero() {
		when = time.Now()
	}
	ae := &paddockv1alpha1.AuditEvent{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: in.Namespace, GenerateName: "ae-cred-",
			Labels: map[string]string{
				"paddock.dev/run": in.RunName, "paddock.dev/decision": string(decision), "paddock.dev/kind": string(kind),
			},
		},
		Spec: paddockv1alpha1.AuditEventSpec{
			RunRef: &paddockv1alpha1.LocalObjectReference{Name: in.RunName}, Decision: decision, Kind: kind,
			Timestamp:  metav1.NewTime(when),
			Credential: &paddockv1alpha1.AuditCredentialRef{Name: in.CredentialName, Provider: in.Provider},
			Reason:     in.Reason,
		},
	}
	if in.MatchedPolicy != "" {
		ae.Spec.MatchedPolicy = &paddockv1alpha1.LocalObjectReference{Name: in.MatchedPolicy}
	}
	return ae
}
