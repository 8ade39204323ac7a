package auditing

import (
	"cmp"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/names"
)

// EgressInput is what NewEgressAllow, NewEgressBlock and NewEgressDiscoveryAllow take.
type EgressInput struct {
	RunName   string
	Namespace string
	// Host is a host name or an address.
	Host string
	// Port from 1 to 65535, or 0 for none. Any other number is kept in detail.
	Port int
	// Decision replaces the builder's own, unless it is "".
	Decision      v1alpha1.AuditDecision
	MatchedPolicy string
	Reason        string
	// When the connection was decided upon; zero for now.
	When time.Time
	// Kind, when not "", replaces the builder's own.
	Kind v1alpha1.AuditKind
}

// NewEgressAllow builds an egress-allow event, granted unless in says otherwise.
func NewEgressAllow(in EgressInput) *v1alpha1.AuditEvent {
	return newEgress(in, v1alpha1.AuditKindEgressAllow, v1alpha1.AuditDecisionGranted)
}

// NewEgressBlock builds an egress-block event, denied unless in says otherwise.
func NewEgressBlock(in EgressInput) *v1alpha1.AuditEvent {
	return newEgress(in, v1alpha1.AuditKindEgressBlock, v1alpha1.AuditDecisionDenied)
}

// NewEgressDiscoveryAllow builds an egress-discovery-allow event, granted unless
// in says otherwise: no policy allows the destination yet, and it is let through
// to learn which one is missing.
func NewEgressDiscoveryAllow(in EgressInput) *v1alpha1.AuditEvent {
	return newEgress(in, v1alpha1.AuditKindEgressDiscoveryAllow, v1alpha1.AuditDecisionGranted)
}

func newEgress(in EgressInput, kind v1alpha1.AuditKind, decision v1alpha1.AuditDecision) *v1alpha1.AuditEvent {
	return build("ae-egress-", EventInput{
		Kind: cmp.Or(in.Kind, kind), Decision: cmp.Or(in.Decision, decision),
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
		Reason: in.Reason, Host: in.Host, Port: in.Port, MatchedPolicy: in.MatchedPolicy,
	})
}

// EgressSummaryInput is what NewEgressBlockSummary takes.
type EgressSummaryInput struct {
	RunName   string
	Namespace string
	// Count of the connections that the event stands for.
	Count int32
	// WindowStart and WindowEnd are when the first and the last of them were
	// decided upon; zero where unknown.
	WindowStart time.Time
	WindowEnd   time.Time
	// SampleDestinations are some of the destinations: a sink stores the first 3
	// and says how many there were beyond. They are copied.
	SampleDestinations []v1alpha1.AuditDestination
	// Decision is denied when it is "".
	Decision      v1alpha1.AuditDecision
	MatchedPolicy string
	Reason        string
	// When the summary was made; zero for WindowEnd or, without one, for now.
	When time.Time
}

// NewEgressBlockSummary builds an egress-block-summary event, which stands for
// many blocked connections where an event for each would flood the trail.
func NewEgressBlockSummary(in EgressSummaryInput) *v1alpha1.AuditEvent {
	when := in.When
	if when.IsZero() && names.Representable(in.WindowEnd) {
		when = in.WindowEnd
	}
	return build("ae-egress-", EventInput{
		Kind: v1alpha1.AuditKindEgressBlockSummary, Decision: cmp.Or(in.Decision, v1alpha1.AuditDecisionDenied),
		RunName: in.RunName, Namespace: in.Namespace, When: when,
		Reason: in.Reason, MatchedPolicy: in.MatchedPolicy, Count: in.Count,
		WindowStart: in.WindowStart, WindowEnd: in.WindowEnd, SampleDestinations: in.SampleDestinations,
	})
}
