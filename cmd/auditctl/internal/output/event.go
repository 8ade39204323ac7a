package output

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/reading"
)

// EventColumns are the columns of Event.
func EventColumns() []Column {
	return []Column{
		{Name: "TIME", Usual: 14},
		{Name: "DECISION", Min: 8, Colour: decisionColour},
		{Name: "KIND", Min: 12, Usual: 20},
		{Name: "COMPONENT", Min: 9, Usual: 10, Drop: 3},
		{Name: "NAMESPACE", Min: 9, Usual: 12, Drop: 1},
		{Name: "RUN", Min: 8, Usual: 12, Drop: 2},
		{Name: "TARGET", Min: 16, Usual: 24},
		{Name: "REASON", Min: 10, Usual: 40},
		{Name: "ACTOR", Wide: true, Usual: 20},
		{Name: "OBJECT", Wide: true, Usual: 20},
		{Name: "COUNT", Wide: true, Right: true},
		{Name: "NAME", Wide: true, Usual: 40},
		{Name: "PLACES", Wide: true},
	}
}

func decisionColour(decision string) string {
	switch v1alpha1.AuditDecision(decision) {
	case v1alpha1.AuditDecisionDenied:
		return "31" // red
	case v1alpha1.AuditDecisionWarned:
		return "33" // yellow
	case v1alpha1.AuditDecisionGranted:
		return "32" // green
	}
	return ""
}

// Event returns the row of an event.
func Event(e *reading.Entry, times Times) Row {
	ae := e.Event()
	return Row{
		Cells: []string{
			times.Format(e.Records[0].Time), string(ae.Spec.Decision), string(ae.Spec.Kind), ae.Labels[v1alpha1.LabelComponent], ae.Namespace,
			Run(ae), Target(ae), ae.Spec.Reason, Actor(ae), object(ae), strconv.FormatInt(Count(ae), 10), ae.Name, strings.Join(e.Places(), ","),
		},
		JSON: eventjson.Append(nil, ae),
	}
}

// Run returns the name of the run; "" when there is none.
func Run(ae *v1alpha1.AuditEvent) string {
	if ae.Spec.RunRef == nil {
		return ""
	}
	return ae.Spec.RunRef.Name
}

// Count returns the number of decisions that an event stands for.
func Count(ae *v1alpha1.AuditEvent) int64 { return max(1, int64(ae.Spec.Count)) }

// Target returns what was decided upon: the destination, the credential or the policy.
func Target(ae *v1alpha1.AuditEvent) string {
	if text := Destination(ae); text != "" {
		return text
	}
	if c := ae.Spec.Credential; c != nil && (c.Name != "" || c.Provider != "") {
		return cmp.Or(c.Name, c.Provider)
	}
	return Policy(ae)
}

// Destination returns host:port, for a summary the first one and how many samples there are
// beyond it; "" when there is none.
func Destination(ae *v1alpha1.AuditEvent) string {
	samples := ae.Spec.SampleDestinations
	switch {
	case ae.Spec.Destination != nil:
		return hostPort(ae.Spec.Destination)
	case len(samples) > 1:
		return fmt.Sprintf("%s (+%d)", hostPort(&samples[0]), len(samples)-1)
	case len(samples) == 1:
		return hostPort(&samples[0])
	}
	return ""
}

func hostPort(d *v1alpha1.AuditDestination) string {
	if d.Port == 0 {
		return d.Host
	}
	return net.JoinHostPort(d.Host, strconv.FormatInt(int64(d.Port), 10))
}

// Policy returns the name of the policy; "" when there is none.
func Policy(ae *v1alpha1.AuditEvent) string {
	if ae.Spec.MatchedPolicy == nil {
		return ""
	}
	return ae.Spec.MatchedPolicy.Name
}

// Actor returns the user who asked; "" when nobody is known.
func Actor(ae *v1alpha1.AuditEvent) string {
	if ae.Spec.Actor == nil {
		return ""
	}
	return cmp.Or(ae.Spec.Actor.User, ae.Spec.Actor.ServiceAccount, ae.Spec.Actor.SourceAddress)
}

// object returns resource.group/namespace/name, of which parts may be missing.
func object(ae *v1alpha1.AuditEvent) string {
	o := ae.Spec.Object
	if o == nil {
		return ""
	}
	resource := o.Resource
	if o.Group != "" {
		resource += "." + o.Group
	}
	if o.Subresource != "" {
		resource += ":" + o.Subresource
	}
	var parts []string
	for _, part := range []string{resource, o.Namespace, o.Name} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/")
}
