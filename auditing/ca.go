package auditing

import (
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// CAProjectionInput is what NewCAProjected takes.
type CAProjectionInput struct {
	RunName   string
	Namespace string
	// SecretName names the Secret that now holds the certificate authority.
	SecretName string
	Reason     string
	// When the Secret was created; zero for now.
	When time.Time
}

// NewCAProjected builds a ca-projected event, granted: a run was given the
// certificate authority that its traffic is checked with.
func NewCAProjected(in CAProjectionInput) *v1alpha1.AuditEvent {
	return build("ae-ca-", EventInput{
		Kind: v1alpha1.AuditKindCAProjected, Decision: v1alpha1.AuditDecisionGranted,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
		Reason: in.Reason,
	}, "secretName", in.SecretName)
}

// CAMisconfiguredInput is what NewCAMisconfigured takes.
type CAMisconfiguredInput struct {
	// Name stands where other events name a run: a workspace, with whatever
	// prefix its caller tells workspaces from runs by.
	Name      string
	Namespace string
	Reason    string
	// When the fault was found; zero for now.
	When time.Time
}

// NewCAMisconfigured builds a ca-misconfigured event, denied: a source of
// certificates is incomplete or cannot be issued, and nothing is projected.
func NewCAMisconfigured(in CAMisconfiguredInput) *v1alpha1.AuditEvent {
	return build("ae-ca-misconfigured-", EventInput{
		Kind: v1alpha1.AuditKindCAMisconfigured, Decision: v1alpha1.AuditDecisionDenied,
		RunName: in.Name, Namespace: in.Namespace, When: in.When,
		Reason: in.Reason,
	})
}
