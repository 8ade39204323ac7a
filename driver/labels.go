package driver

import (
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/names"
)

// labels are what eventjson.OwnLabels returns of an event. Each label is looked up once,
// because a lookup takes as long as encoding a short text.
type labels [4]eventjson.Pair

// The places of the labels.
const (
	ofComponent = iota
	ofDecision
	ofKind
	ofRun
)

func ownLabels(ae *v1alpha1.AuditEvent) labels {
	if ae == nil {
		return labels{}
	}
	return eventjson.OwnLabels(ae)
}

// areAllOf reports that ae has no other label, and that a component in it is a label value.
func (l *labels) areAllOf(ae *v1alpha1.AuditEvent) bool {
	n := 0
	for i := range l {
		if l[i].Value != "" {
			n++
		}
	}
	return n == len(ae.Labels) && names.IsLabelValue(l[ofComponent].Value)
}

// set gives ae the labels that repeat fields of its spec, and that of component unless it is
// empty. It writes only what differs.
func (l *labels) set(ae *v1alpha1.AuditEvent, component string) {
	if ae.Labels == nil {
		ae.Labels = make(map[string]string, len(l))
	}
	if component == "" {
		component = l[ofComponent].Value
	}
	run := ""
	if ae.Spec.RunRef != nil {
		run = names.RunLabel(ae.Spec.RunRef.Name)
	}
	for i, value := range [len(l)]string{component, string(ae.Spec.Decision), string(ae.Spec.Kind), run} {
		if l[i].Value != value {
			ae.Labels[l[i].Key], l[i].Value = value, value
		}
	}
	if run == "" {
		delete(ae.Labels, v1alpha1.LabelRun)
	}
}
