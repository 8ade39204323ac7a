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
	e := newEvent(header{
		prefix: "prompt-submitted-", kind: v1alpha1.AuditKindPromptSubmitted, decision: v1alpha1.AuditDecisionGranted,
		namespace: in.Namespace, run: in.RunName, when: in.When,
	})
	e.put("submitterSA", in.SubmitterSA)
	e.put("promptHash", in.PromptHash)
	e.putNumbers(number{"promptLength", int64(in.PromptLength)}, number{"turnSeq", int64(in.TurnSeq)})
	return &e.AuditEvent
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
	e := newEvent(header{
		prefix: "prompt-completed-", kind: v1alpha1.AuditKindPromptCompleted, decision: v1alpha1.AuditDecisionGranted,
		namespace: in.Namespace, run: in.RunName, when: in.When,
	})
	e.putNumbers(number{"turnSeq", int64(in.TurnSeq)}, number{"durationMs", in.DurationMs},
		number{"eventCount", int64(in.EventCount)})
	e.put("outcome", in.Outcome)
	return &e.AuditEvent
}
