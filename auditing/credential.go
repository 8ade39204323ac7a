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
	return build("ae-cred-", EventInput{
		Kind: v1alpha1.AuditKindCredentialIssued, Decision: v1alpha1.AuditDecisionGranted,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
		Reason: in.Reason, CredentialName: in.CredentialName, Provider: in.Provider, MatchedPolicy: in.MatchedPolicy, Count: in.Count,
	})
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
	return build("ae-cred-", EventInput{
		Kind: v1alpha1.AuditKindCredentialDenied, Decision: v1alpha1.AuditDecisionDenied,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
		Reason: in.Reason, CredentialName: in.CredentialName, Provider: in.Provider, MatchedPolicy: in.MatchedPolicy,
	})
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
	return build("ae-cred-", EventInput{
		Kind: v1alpha1.AuditKindCredentialRevoked, Decision: v1alpha1.AuditDecisionGranted,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
		Reason: in.Reason, CredentialName: in.CredentialName, Provider: in.Provider, MatchedPolicy: in.MatchedPolicy,
	})
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
	expires := ""
	if !in.ExpiresAt.IsZero() {
		expires = in.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return build("credential-renewed-", EventInput{
		Kind: v1alpha1.AuditKindCredentialRenewed, Decision: v1alpha1.AuditDecisionGranted,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
	}, "provider", in.Provider, "leaseID", in.LeaseID, "expiresAt", expires)
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
	return build("renewal-failed-", EventInput{
		Kind: v1alpha1.AuditKindCredentialRenewalFailed, Decision: v1alpha1.AuditDecisionDenied,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
	}, "provider", in.Provider, "leaseID", in.LeaseID, "error", in.Error)
}
