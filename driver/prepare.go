package driver

import (
	"encoding/json"
	"fmt"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/names"
)

const defaultGenerateName = "ae-"

// Prepare validates ae, fills in its name, labels and exact time, and returns the
// event that drivers get. Only a stage that makes events of its own, such as
// summaries, calls it; Write calls it for all other events. component, when not empty, becomes
// the label paddock.dev/component.
//
// Prepare fills these in in ae too, so that a second call gives an event of the same
// identity. It shortens text beyond the bounds of the schema in the event, and not in
// ae. Its errors are of auditing.ClassInvalid.
func Prepare(ae *v1alpha1.AuditEvent, component string) (*Event, error) {
	return prepare(ae, &Info{Component: component}, nil)
}

// prepare does what Prepare does, and gives an event the facts that it lacks when it is
// written for the first time. An event that is written again is not changed.
func prepare(ae *v1alpha1.AuditEvent, info *Info, facts *auditing.Facts) (*Event, error) {
	own := ownLabels(ae)
	if err := validate(ae, &own, info.Component, info.Namespaced); err != nil {
		return nil, WithClass(auditing.ClassInvalid, err)
	}
	_, again := ae.Annotations[v1alpha1.AnnotationTimestamp]
	named := ae.Name != ""
	if err := identify(ae, &own, info.Component); err != nil {
		return nil, WithClass(auditing.ClassInvalid, err)
	}
	e := &Event{}
	e.flat.CopyLabelled(ae, own)
	if fit(&e.flat) && info.Redacts {
		e.whole = &eventjson.Event{}
		e.whole.Copy(ae)
	}
	if facts != nil && !again {
		stamp(ae, &e.flat, facts, named)
		if e.whole != nil {
			e.whole.SetFacts(&e.flat.Spec)
		}
	}
	return e.finish(), nil
}

// identify sets the name and the exact time, by which two writes of an event are
// recognised as the same event, the labels that repeat fields of spec, and the annotation
// that repeats the owners. A second call changes nothing.
func identify(ae *v1alpha1.AuditEvent, own *labels, component string) error {
	exact := auditing.EventTime(ae)
	text := make([]byte, 0, 128)
	if ae.Name == "" {
		if ae.GenerateName == "" {
			ae.GenerateName = defaultGenerateName
		}
		var err error
		writer := component
		if writer == "" {
			writer = own[ofComponent].Value
		}
		if text, err = names.Append(text, ae.GenerateName, writer, exact); err != nil {
			return fmt.Errorf("naming the event: %w", err)
		}
	}
	named := len(text)
	text = eventjson.AppendTime(text, exact)
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
	if len(ae.OwnerReferences) > 0 {
		owners, err := json.Marshal(ae.OwnerReferences)
		if err != nil {
			return fmt.Errorf("recording the owner: %w", err)
		}
		setText(ae.Annotations, v1alpha1.AnnotationOwner, string(owners))
	}
	own.set(ae, component)
	return nil
}

// setText writes only what differs, because a lookup is cheaper than a write.
func setText(m map[string]string, key, value string) {
	if was, ok := m[key]; !ok || was != value {
		m[key] = value
	}
}
