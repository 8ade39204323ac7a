package auditing

import (
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// PromptAuditInput is what NewPromptSubmitted takes.
type PromptAuditInput struct {
	RunName   string
	Namespace string
	// SubmitterSA is the service account that sent the prompt.
	SubmitterSA string
	// PromptHash identifies the prompt, whose text an audit trail does not hold.
	PromptHash   string
	PromptLength int
	TurnSeq      int32
	// When the prompt arrived; zero for now.
	When time.Time
}

// NewPromptSubmitted builds a prompt-submitted event, granted, with everything
// that is known of the prompt in detail.
func NewPromptSubmitted(in PromptAuditInput) *v1alpha1.AuditEvent {
	return build("prompt-submitted-", EventInput{
		Kind: v1alpha1.AuditKindPromptSubmitted, Decision: v1alpha1.AuditDecisionGranted,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
	}, "submitterSA", in.SubmitterSA, "promptHash", in.PromptHash,
		"promptLength", number(in.PromptLength), "turnSeq", number(in.TurnSeq))
}

// PromptCompletedInput is what NewPromptCompleted takes.
type PromptCompletedInput struct {
	RunName    string
	Namespace  string
	TurnSeq    int32
	DurationMs int64
	EventCount int32
	// Outcome is one word: ok, error or interrupted.
	Outcome string
	// When the answer was complete; zero for now.
	When time.Time
}

// NewPromptCompleted builds a prompt-completed event, granted whatever the
// outcome, which is in detail with the rest.
func NewPromptCompleted(in PromptCompletedInput) *v1alpha1.AuditEvent {
	return build("prompt-completed-", EventInput{
		Kind: v1alpha1.AuditKindPromptCompleted, Decision: v1alpha1.AuditDecisionGranted,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
	}, "turnSeq", number(in.TurnSeq), "durationMs", number(in.DurationMs),
		"eventCount", number(in.EventCount), "outcome", in.Outcome)
}
