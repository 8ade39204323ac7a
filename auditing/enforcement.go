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
	e := newEvent(header{
		prefix: "ae-np-", kind: v1alpha1.AuditKindNetworkPolicyEnforcementWithdrawn,
		decision:  v1alpha1.AuditDecisionWarned,
		namespace: in.Namespace, run: in.RunName, when: in.When,
	})
	e.Spec.Reason = in.Reason
	return &e.AuditEvent
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
	e := newEvent(header{
		prefix: "ae-interception-", kind: v1alpha1.AuditKindInterceptionModeCooperativeAccepted,
		decision:  v1alpha1.AuditDecisionGranted,
		namespace: in.Namespace, run: in.RunName, when: in.When,
	})
	e.Spec.Reason = in.Reason
	e.setPolicy(in.MatchedPolicy)
	return &e.AuditEvent
}
