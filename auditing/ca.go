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
	e := newEvent(header{
		prefix: "ae-ca-", kind: v1alpha1.AuditKindCAProjected, decision: v1alpha1.AuditDecisionGranted,
		namespace: in.Namespace, run: in.RunName, when: in.When,
	})
	e.Spec.Reason = in.Reason
	e.put("secretName", in.SecretName)
	return &e.AuditEvent
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
	e := newEvent(header{
		prefix: "ae-ca-misconfigured-", kind: v1alpha1.AuditKindCAMisconfigured, decision: v1alpha1.AuditDecisionDenied,
		namespace: in.Namespace, run: in.Name, when: in.When,
	})
	e.Spec.Reason = in.Reason
	return &e.AuditEvent
}
