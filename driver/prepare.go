package driver

import (
	"fmt"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/names"
)

const defaultGenerateName = "ae-"

// Prepare validates ae, fills in its name, labels and exact time, and returns the
// event that drivers get. It is for a stage that makes an event of its own, such as
// a summary; Write does it for everybody else. component, when not empty, becomes
// the label paddock.dev/component.
//
// What is filled in stands in ae too, so that a second call gives an event of the
// same identity. Text beyond the bounds of the schema is shortened in the event and
// not in ae. An error is of auditing.ClassInvalid.
func Prepare(ae *v1alpha1.AuditEvent, component string) (*Event, error) {
	return prepare(ae, component, false)
}

func prepare(ae *v1alpha1.AuditEvent, component string, namespaced bool) (*Event, error) {
	if err := validate(ae, component, namespaced); err != nil {
		return nil, WithClass(auditing.ClassInvalid, err)
	}
	if err := identify(ae, component); err != nil {
		return nil, WithClass(auditing.ClassInvalid, err)
	}
	e := &Event{}
	e.flat.Copy(ae)
	fit(&e.flat)
	return e.finish(), nil
}

// identify fixes what makes two writes of one event the same: its name and its
// exact time. It also sets the labels that repeat spec. Called again it writes
// nothing.
func identify(ae *v1alpha1.AuditEvent, component string) error {
	exact := auditing.EventTime(ae)
	text := make([]byte, 0, 128)
	if ae.Name == "" {
		if ae.GenerateName == "" {
			ae.GenerateName = defaultGenerateName
		}
		var err error
		if text, err = names.Append(text, ae.GenerateName, exact); err != nil {
			return fmt.Errorf("naming the event: %w", err)
		}
	}
	named := len(text)
	text = exact.UTC().AppendFormat(text, time.RFC3339Nano)
	if named > 0 || ae.Annotations[v1alpha1.AnnotationTimestamp] != string(text) {
		both := string(text) // in one allocation
		if named > 0 {
			ae.Name = both[:named]
		}
		if ae.Annotations == nil {
			ae.Annotations = make(map[string]string, 1)
		}
		ae.Annotations[v1alpha1.AnnotationTimestamp] = both[named:]
	}
	if ae.Labels == nil {
		ae.Labels = make(map[string]string, 4)
	}
	setLabels(ae.Labels, &ae.Spec)
	if component != "" {
		setLabel(ae.Labels, v1alpha1.LabelComponent, component)
	}
	return nil
}

func setLabels(labels map[string]string, spec *v1alpha1.AuditEventSpec) {
	setLabel(labels, v1alpha1.LabelDecision, string(spec.Decision))
	setLabel(labels, v1alpha1.LabelKind, string(spec.Kind))
	if spec.RunRef != nil {
		setLabel(labels, v1alpha1.LabelRun, names.RunLabel(spec.RunRef.Name))
	} else {
		delete(labels, v1alpha1.LabelRun)
	}
}

// setLabel leaves a label that is right alone: looking costs less than writing.
func setLabel(labels map[string]string, key, value string) {
	if was, ok := labels[key]; !ok || was != value {
		labels[key] = value
	}
}
