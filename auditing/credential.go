package auditing

import (
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// CredentialIssuedInput is what NewCredentialIssued takes.
type CredentialIssuedInput struct {
	RunName        string
	Namespace      string
	CredentialName string
	Provider       string
	MatchedPolicy  string
	Reason         string
	// When the credential was issued; zero for now.
	When time.Time
	// Count, when above 0, makes the event a summary of so many credentials.
	Count int32
}

// NewCredentialIssued builds a credential-issued event, granted.
func NewCredentialIssued(in CredentialIssuedInput) *v1alpha1.AuditEvent {
	e := newCredentialEvent(header{
		prefix: "ae-cred-", kind: v1alpha1.AuditKindCredentialIssued, decision: v1alpha1.AuditDecisionGranted,
		namespace: in.Namespace, run: in.RunName, when: in.When,
	})
	e.Spec.Reason = in.Reason
	e.setCredential(&e.credential, in.CredentialName, in.Provider, "")
	e.setPolicy(in.MatchedPolicy)
	e.setCount(in.Count)
	return &e.AuditEvent
}

type credentialEvent struct {
	event
	credential v1alpha1.AuditCredential
}

func newCredentialEvent(h header) *credentialEvent {
	e := &credentialEvent{}
	e.begin(h)
	return e
}

// CredentialDeniedInput is what NewCredentialDenied takes.
type CredentialDeniedInput struct {
	RunName        string
	Namespace      string
	CredentialName string
	Provider       string
	// MatchedPolicy is "" when no policy matched, which is a reason to deny.
	MatchedPolicy string
	Reason        string
	// When the request was refused; zero for now.
	When time.Time
}

// NewCredentialDenied builds a credential-denied event, denied.
func NewCredentialDenied(in CredentialDeniedInput) *v1alpha1.AuditEvent {
	e := newCredentialEvent(header{
		prefix: "ae-cred-", kind: v1alpha1.AuditKindCredentialDenied, decision: v1alpha1.AuditDecisionDenied,
		namespace: in.Namespace, run: in.RunName, when: in.When,
	})
	e.Spec.Reason = in.Reason
	e.setCredential(&e.credential, in.CredentialName, in.Provider, "")
	e.setPolicy(in.MatchedPolicy)
	return &e.AuditEvent
}

// CredentialRevokedInput is what NewCredentialRevoked takes.
type CredentialRevokedInput struct {
	RunName        string
	Namespace      string
	CredentialName string
	Provider       string
	MatchedPolicy  string
	Reason         string
	// When the credential was revoked; zero for now.
	When time.Time
}

// NewCredentialRevoked builds a credential-revoked event. It is granted: the
// revocation was carried out, and the kind says what that was.
func NewCredentialRevoked(in CredentialRevokedInput) *v1alpha1.AuditEvent {
	e := newCredentialEvent(header{
		prefix: "ae-cred-", kind: v1alpha1.AuditKindCredentialRevoked, decision: v1alpha1.AuditDecisionGranted,
		namespace: in.Namespace, run: in.RunName, when: in.When,
	})
	e.Spec.Reason = in.Reason
	e.setCredential(&e.credential, in.CredentialName, in.Provider, "")
	e.setPolicy(in.MatchedPolicy)
	return &e.AuditEvent
}

// CredentialRenewedInput is what NewCredentialRenewed takes.
type CredentialRenewedInput struct {
	RunName   string
	Namespace string
	Provider  string
	LeaseID   string
	// ExpiresAt is when the renewed lease ends; zero when it does not.
	ExpiresAt time.Time
	// When the lease was renewed; zero for now.
	When time.Time
}

// NewCredentialRenewed builds a credential-renewed event, granted. Provider,
// lease and expiry (RFC 3339, UTC) are in detail.
func NewCredentialRenewed(in CredentialRenewedInput) *v1alpha1.AuditEvent {
	e := newEvent(header{
		prefix: "credential-renewed-", kind: v1alpha1.AuditKindCredentialRenewed, decision: v1alpha1.AuditDecisionGranted,
		namespace: in.Namespace, run: in.RunName, when: in.When,
	})
	e.put("provider", in.Provider)
	e.put("leaseID", in.LeaseID)
	if !in.ExpiresAt.IsZero() {
		e.put("expiresAt", in.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return &e.AuditEvent
}

// CredentialRenewalFailedInput is what NewCredentialRenewalFailed takes.
type CredentialRenewalFailedInput struct {
	RunName   string
	Namespace string
	Provider  string
	LeaseID   string
	// Error is the failure's text. It must not hold a credential.
	Error string
	// When the renewal failed; zero for now.
	When time.Time
}

// NewCredentialRenewalFailed builds a credential-renewal-failed event, denied.
// Provider, lease and error are in detail.
func NewCredentialRenewalFailed(in CredentialRenewalFailedInput) *v1alpha1.AuditEvent {
	e := newEvent(header{
		prefix: "renewal-failed-", kind: v1alpha1.AuditKindCredentialRenewalFailed, decision: v1alpha1.AuditDecisionDenied,
		namespace: in.Namespace, run: in.RunName, when: in.When,
	})
	e.put("provider", in.Provider)
	e.put("leaseID", in.LeaseID)
	e.put("error", in.Error)
	return &e.AuditEvent
}
