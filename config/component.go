package config

import (
	"context"
	"strings"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// defaultDetachTimeout bounds a write that no caller's cancellation can end.
const defaultDetachTimeout = 10 * time.Second

// Reactions to a failed write.
const (
	// FailClosed returns the error to the component, which refuses.
	FailClosed = "closed"
	// FailOpen counts and reports the failure and lets the component go on.
	FailOpen = "open"
)

var reactions = []string{FailClosed, FailOpen}

// Component says where a component writes.
type Component struct {
	// Sink that the component writes to.
	Sink Ref `yaml:"sink" required:"true" doc:"the name of the sink to write to"`
	// OnFailure is what Write returns when the chain fails.
	OnFailure OnFailure `yaml:"onFailure" doc:"closed returns the error to the component, open counts and reports it and lets the component go on; one word, or one for each decision (granted, denied, warned); closed where nothing is said"`
	// Timeout of each Write; none of its own when 0, and 10 s with Detach.
	Timeout time.Duration `yaml:"timeout" min:"1ms" max:"10m" doc:"how long one write may take; the caller's own deadline where nothing is said, 10s with detach"`
	// Detach keeps a write going when its caller's context ends.
	Detach bool `yaml:"detach" doc:"write the event even when the caller's request is cancelled"`
}

// OnFailure is FailClosed or FailOpen for each decision. "" is FailClosed.
type OnFailure struct {
	Granted string `yaml:"granted" enum:"closed,open" doc:"for decisions that granted"`
	Denied  string `yaml:"denied" enum:"closed,open" doc:"for decisions that denied"`
	Warned  string `yaml:"warned" enum:"closed,open" doc:"for decisions that warned"`
}

func (o OnFailure) open(d v1alpha1.AuditDecision) bool {
	switch d {
	case v1alpha1.AuditDecisionGranted:
		return o.Granted == FailOpen
	case v1alpha1.AuditDecisionDenied:
		return o.Denied == FailOpen
	case v1alpha1.AuditDecisionWarned:
		return o.Warned == FailOpen
	}
	return false
}

// closed returns the decisions whose failures are returned.
func (o OnFailure) closed() (decisions []string) {
	for _, d := range []v1alpha1.AuditDecision{
		v1alpha1.AuditDecisionGranted, v1alpha1.AuditDecisionDenied, v1alpha1.AuditDecisionWarned,
	} {
		if !o.open(d) {
			decisions = append(decisions, string(d))
		}
	}
	return decisions
}

// String returns "closed", "open" or "closed for granted, denied".
func (o OnFailure) String() string {
	switch closed := o.closed(); len(closed) {
	case 0:
		return FailOpen
	case 3:
		return FailClosed
	default:
		return FailClosed + " for " + strings.Join(closed, ", ")
	}
}

// line describes the component for the start-up log.
func (c Component) line(name string, p Plan) string {
	text := name + ": " + p.Chain + ": " + p.Level.String() + ", fails " + c.OnFailure.String()
	if t := c.timeout(); t > 0 {
		text += ", timeout " + t.String()
	}
	if c.Detach {
		text += ", detached"
	}
	return text
}

func (c Component) timeout() time.Duration {
	if c.Timeout == 0 && c.Detach {
		return defaultDetachTimeout
	}
	return c.Timeout
}

// context returns the context of one write.
func (c Component) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.Detach {
		ctx = context.WithoutCancel(ctx)
	}
	if t := c.timeout(); t > 0 {
		return context.WithTimeout(ctx, t)
	}
	return ctx, func() {}
}
