package auditing

import (
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
	e := newEvent(header{
		prefix: "ae-broker-", kind: v1alpha1.AuditKindBrokerUnavailable, decision: v1alpha1.AuditDecisionDenied,
		namespace: in.Namespace, run: in.RunName, when: in.When,
	})
	e.Spec.Reason = in.Reason
	e.put("endpoint", in.Endpoint)
	e.put("error", in.Error)
	return &e.AuditEvent
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
	e := newEvent(header{
		prefix: "ae-creds-tampered-", kind: v1alpha1.AuditKindBrokerCredsTampered, decision: v1alpha1.AuditDecisionWarned,
		namespace: in.Namespace, run: in.RunName, when: in.When,
	})
	e.Spec.Reason = prunedReason
	if len(in.PrunedKeys) > 0 {
		// One text for both: the keys are the end of the reason.
		const before = prunedReason + ": "
		text := append(make([]byte, 0, 256), before...)
		for i, key := range in.PrunedKeys {
			if i > 0 {
				text = append(text, ',')
			}
			text = append(text, key...)
		}
		e.Spec.Reason = string(text)
		e.put("prunedKeys", e.Spec.Reason[len(before):])
	}
	return &e.AuditEvent
}
