package auditing

import (
	"strings"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// BrokerUnavailableInput is what NewBrokerUnavailable takes.
type BrokerUnavailableInput struct {
	RunName   string
	Namespace string
	// Endpoint that did not answer, without any credential in it.
	Endpoint string
	// Error is the failure's text.
	Error  string
	Reason string
	// When the broker did not answer; zero for now.
	When time.Time
}

// NewBrokerUnavailable builds a broker-unavailable event, denied: what needed
// the broker was refused. Endpoint and error are in detail.
func NewBrokerUnavailable(in BrokerUnavailableInput) *v1alpha1.AuditEvent {
	return build("ae-broker-", EventInput{
		Kind: v1alpha1.AuditKindBrokerUnavailable, Decision: v1alpha1.AuditDecisionDenied,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
		Reason: in.Reason,
	}, "endpoint", in.Endpoint, "error", in.Error)
}

// BrokerCredsTamperedInput is what NewBrokerCredsTampered takes.
type BrokerCredsTamperedInput struct {
	RunName   string
	Namespace string
	// PrunedKeys are the keys that did not belong in the run's Secret and were
	// removed from it, in the order in which they are to be read.
	PrunedKeys []string
	// When they were removed; zero for now.
	When time.Time
}

const prunedReason = "removed from the run's broker credentials what was not put there by the controller"

// NewBrokerCredsTampered builds a broker-creds-tampered event. It is warned:
// nothing was refused and the Secret is mended, but somebody wrote to it. The
// keys are in the reason and, joined by commas, in detail.
func NewBrokerCredsTampered(in BrokerCredsTamperedInput) *v1alpha1.AuditEvent {
	reason, keys := prunedReason, ""
	if len(in.PrunedKeys) > 0 {
		const before = prunedReason + ": "
		reason = before + strings.Join(in.PrunedKeys, ",")
		keys = reason[len(before):]
	}
	return build("ae-creds-tampered-", EventInput{
		Kind: v1alpha1.AuditKindBrokerCredsTampered, Decision: v1alpha1.AuditDecisionWarned,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
		Reason: reason,
	}, "prunedKeys", keys)
}
