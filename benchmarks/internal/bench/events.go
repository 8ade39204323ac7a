// Package bench holds what all comparisons share: the three events that everybody writes, and the clock.
package bench

import (
	"strings"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// Component is the value of the label paddock.dev/component of every event.
const Component = "bench"

// The texts of the events. None needs shortening, so that every peer stores them whole.
const (
	Namespace  = "team-a"
	Run        = "run-20260301-7f3a"
	Policy     = "allow-github"
	Reason     = "the policy allows the run to clone this repository"
	Credential = "github-token"
	Provider   = "github"
	Host       = "paste.example.com"
	Port       = 443
)

// Prompt is 1 KiB of detail, with characters that JSON has to escape in it.
var Prompt = strings.Repeat("Summarise the \"open\" issues of this week.\n", 25)[:1024]

// Event is one of the events that are written everywhere.
type Event struct {
	Name string
	// New builds it as a component would. Its time is now, to the nanosecond, and no two have the same.
	New func() *v1alpha1.AuditEvent
}

// Events are a credential-issued event with all its fields, an egress-block event, and a prompt with 1 KiB of detail.
func Events() []Event {
	return []Event{{Name: "credential", New: NewCredential}, {Name: "egress", New: NewEgress}, {Name: "prompt", New: NewPrompt}}
}

// NewCredential builds a credential-issued event with all its fields.
func NewCredential() *v1alpha1.AuditEvent {
	return auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		RunName: Run, Namespace: Namespace, CredentialName: Credential, Provider: Provider,
		MatchedPolicy: Policy, Reason: Reason, Count: 3,
	})
}

// NewEgress builds an egress-block event.
func NewEgress() *v1alpha1.AuditEvent {
	return auditing.NewEgressBlock(auditing.EgressInput{
		RunName: Run, Namespace: Namespace, Host: Host, Port: Port, MatchedPolicy: Policy, Reason: Reason,
	})
}

// NewPrompt builds a prompt-submitted event with 1 KiB of detail.
func NewPrompt() *v1alpha1.AuditEvent {
	return auditing.NewEvent(auditing.EventInput{
		Kind: v1alpha1.AuditKindPromptSubmitted, Decision: v1alpha1.AuditDecisionGranted,
		RunName: Run, Namespace: Namespace,
		Detail: map[string]string{"submitterSA": "agent", "promptLength": "1024", "turnSeq": "7", "prompt": Prompt},
	})
}

// Renew makes ae a new event to a sink, as a builder leaves one, without the cost of building it: it takes back the
// name and the exact time that the last Write gave it.
func Renew(ae *v1alpha1.AuditEvent) {
	ae.Name, ae.Annotations = "", nil
}

// Time returns the event's time with its nanoseconds.
func Time(ae *v1alpha1.AuditEvent) time.Time { return auditing.EventTime(ae) }

// Named builds an event and has it named, labelled and stamped, as it is after its first Write.
func Named(event Event) (*v1alpha1.AuditEvent, error) {
	ae := event.New()
	_, err := driver.Prepare(ae, Component)
	return ae, err
}
