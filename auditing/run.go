package auditing

import (
	"cmp"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// RunDecisionInput is what NewRunFailed and NewRunCompleted take.
type RunDecisionInput struct {
	RunName   string
	Namespace string
	Reason    string
	// Decision replaces the builder's own, unless it is "".
	Decision v1alpha1.AuditDecision
	// When the run ended; zero for now.
	When time.Time
}

// NewRunFailed builds a run-failed event, denied unless in says otherwise.
func NewRunFailed(in RunDecisionInput) *v1alpha1.AuditEvent {
	return newRunDecision(in, v1alpha1.AuditKindRunFailed, v1alpha1.AuditDecisionDenied)
}

// NewRunCompleted builds a run-completed event, granted unless in says otherwise.
func NewRunCompleted(in RunDecisionInput) *v1alpha1.AuditEvent {
	return newRunDecision(in, v1alpha1.AuditKindRunCompleted, v1alpha1.AuditDecisionGranted)
}

func newRunDecision(in RunDecisionInput, kind v1alpha1.AuditKind, decision v1alpha1.AuditDecision) *v1alpha1.AuditEvent {
	return build("ae-run-", EventInput{
		Kind: kind, Decision: cmp.Or(in.Decision, decision),
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
		Reason: in.Reason,
	})
}

// InteractiveRunTerminatedInput is what NewInteractiveRunTerminated takes.
type InteractiveRunTerminatedInput struct {
	RunName   string
	Namespace string
	// Reason is one word: idle, detach, max-lifetime, explicit or error.
	Reason string
	// Decision, when "", is warned for the reason error, and granted otherwise.
	Decision v1alpha1.AuditDecision
	// When the run was ended; zero for now.
	When time.Time
}

// NewInteractiveRunTerminated builds an interactive-run-terminated event. The
// reason is in detail, for it is a word to select by and not a sentence.
func NewInteractiveRunTerminated(in InteractiveRunTerminatedInput) *v1alpha1.AuditEvent {
	implied := v1alpha1.AuditDecisionGranted
	if in.Reason == "error" {
		implied = v1alpha1.AuditDecisionWarned
	}
	return build("interactive-terminated-", EventInput{
		Kind: v1alpha1.AuditKindInteractiveRunTerminated, Decision: cmp.Or(in.Decision, implied),
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
	}, "reason", in.Reason)
}
