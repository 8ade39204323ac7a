package config

import (
	"context"
	"strings"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// defaultDetachTimeout bounds a write that no caller's cancellation can end.
const defaultDetachTimeout = 10 * time.Second

// reaction says whether Write of a component returns the error of its chain.
type reaction string

const (
	// failClosed returns the error to the component, which refuses.
	failClosed reaction = "closed"
	// failOpen counts and reports the failure, and returns nil.
	failOpen reaction = "open"
)

var reactions = []string{string(failClosed), string(failOpen)}

// component says where a component writes.
type component struct {
	Sink Ref `yaml:"sink" required:"true" doc:"the name of the sink to write to"`
	// Redact is "" for none.
	Redact string `yaml:"redact" doc:"the name of the redaction that its events go through first; none where nothing is said"`
	// OnFailure is failClosed for each decision that it does not name.
	OnFailure onFailure `yaml:"onFailure" doc:"closed returns the error to the component, open counts and reports it and lets the component go on; one word, or one for each decision (granted, denied, warned); closed where nothing is said"`
	// Timeout of each Write. When it is 0, only the context of the caller bounds it, or
	// defaultDetachTimeout with Detach.
	Timeout time.Duration `yaml:"timeout" min:"1ms" max:"10m" doc:"how long one write may take; the caller's own deadline where nothing is said, 10s with detach"`
	// Detach keeps a write going when its caller's context ends.
	Detach bool `yaml:"detach" doc:"write the event even when the caller's request is cancelled"`
}

// onFailure is a reaction for each decision; "" is failClosed.
type onFailure struct {
	Granted reaction `yaml:"granted" enum:"closed,open" doc:"for decisions that granted"`
	Denied  reaction `yaml:"denied" enum:"closed,open" doc:"for decisions that denied"`
	Warned  reaction `yaml:"warned" enum:"closed,open" doc:"for decisions that warned"`
}

var decisions = []v1alpha1.AuditDecision{
	v1alpha1.AuditDecisionGranted, v1alpha1.AuditDecisionDenied, v1alpha1.AuditDecisionWarned,
}

// of returns the reaction for one of decisions.
func (o onFailure) of(d v1alpha1.AuditDecision) reaction {
	switch d {
	case v1alpha1.AuditDecisionGranted:
		return o.Granted
	case v1alpha1.AuditDecisionDenied:
		return o.Denied
	}
	return o.Warned
}

// closed returns the decisions whose failures are returned.
func (o onFailure) closed() (closed []string) {
	for _, d := range decisions {
		if o.of(d) != failOpen {
			closed = append(closed, string(d))
		}
	}
	return closed
}

// String returns "closed", "open" or "closed for granted, denied".
func (o onFailure) String() string {
	switch closed := o.closed(); len(closed) {
	case 0:
		return string(failOpen)
	case 3:
		return string(failClosed)
	default:
		return string(failClosed) + " for " + strings.Join(closed, ", ")
	}
}

// line describes the component for the start-up log.
func (c component) line(name string, p Plan) string {
	text := name + ": " + p.Chain + ": " + p.Level.String() + ", fails " + c.OnFailure.String()
	if t := c.timeout(); t > 0 {
		text += ", timeout " + t.String()
	}
	if c.Detach {
		text += ", detached"
	}
	return text
}

func (c component) timeout() time.Duration {
	if c.Timeout == 0 && c.Detach {
		return defaultDetachTimeout
	}
	return c.Timeout
}

// rules returns what the component says of its writes.
func (c component) rules(onFailure func(context.Context, *v1alpha1.AuditEvent, error)) auditing.Rules {
	r := auditing.Rules{Timeout: c.timeout(), Detach: c.Detach, OnFailure: onFailure}
	for _, d := range decisions {
		if c.OnFailure.of(d) == failOpen {
			r.FailOpen = append(r.FailOpen, d)
		}
	}
	return r
}
