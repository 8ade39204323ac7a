package auditing

import (
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// NetworkPolicyEnforcementWithdrawnInput is what
// NewNetworkPolicyEnforcementWithdrawn takes.
type NetworkPolicyEnforcementWithdrawnInput struct {
	RunName   string
	Namespace string
	Reason    string
	// When the policy was found missing; zero for now.
	When time.Time
}

// NewNetworkPolicyEnforcementWithdrawn builds a
// network-policy-enforcement-withdrawn event. It is warned: somebody deleted a
// run's NetworkPolicy, it is in force again, and for a while it was not.
func NewNetworkPolicyEnforcementWithdrawn(in NetworkPolicyEnforcementWithdrawnInput) *v1alpha1.AuditEvent {
	return build("ae-np-", EventInput{
		Kind: v1alpha1.AuditKindNetworkPolicyEnforcementWithdrawn, Decision: v1alpha1.AuditDecisionWarned,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
		Reason: in.Reason,
	})
}

// InterceptionInput is what NewInterceptionModeCooperativeAccepted takes.
type InterceptionInput struct {
	RunName       string
	Namespace     string
	MatchedPolicy string
	// Reason that the policy gives for accepting the weaker mode.
	Reason string
	// When the proxy started in that mode; zero for now.
	When time.Time
}

// NewInterceptionModeCooperativeAccepted builds an
// interception-mode-cooperative-accepted event, granted: a policy lets the run's
// traffic reach the proxy by the run's own cooperation instead of by force.
func NewInterceptionModeCooperativeAccepted(in InterceptionInput) *v1alpha1.AuditEvent {
	return build("ae-interception-", EventInput{
		Kind: v1alpha1.AuditKindInterceptionModeCooperativeAccepted, Decision: v1alpha1.AuditDecisionGranted,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
		Reason: in.Reason, MatchedPolicy: in.MatchedPolicy,
	})
}
