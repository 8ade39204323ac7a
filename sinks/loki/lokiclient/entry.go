package lokiclient

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// maxLine is just under Loki's default of 256 KiB a line (max_line_size). Loki
// refuses a longer one, and with it this client drops the whole batch.
const maxLine = 255 << 10

// annotationOmitted says what was left out of metadata to keep to the limit.
const annotationOmitted = "paddock.dev/omitted"

// entry is an event as the client takes it. Nothing in it is the event's own.
type entry struct {
	labels   model.LabelSet
	time     time.Time
	line     string
	metadata push.LabelsAdapter
}

// entry makes the same of the same event, so that Loki knows a repeat by its
// labels, time, line and metadata.
func (s *Sink) entry(ae *v1alpha1.AuditEvent) (entry, error) {
	line, err := lineOf(ae)
	if err != nil {
		return entry{}, err
	}
	e := entry{labels: model.LabelSet{}, time: auditing.EventTime(ae), line: line}
	for name, value := range map[model.LabelName]string{
		"service_name": s.serviceName, "component": ae.Labels[v1alpha1.LabelComponent], "namespace": ae.Namespace,
	} {
		if value != "" {
			e.labels[name] = model.LabelValue(clean(value))
		}
	}
	e.metadata = append(e.metadata,
		push.LabelAdapter{Name: "kind", Value: string(ae.Spec.Kind)},
		push.LabelAdapter{Name: "decision", Value: string(ae.Spec.Decision)},
		push.LabelAdapter{Name: "event", Value: ae.Name})
	if ae.Spec.RunRef != nil {
		e.metadata = append(e.metadata, push.LabelAdapter{Name: "run", Value: clean(ae.Spec.RunRef.Name)})
	}
	return e, nil
}

// lineOf returns the event's JSON, without what a server fills in.
func lineOf(ae *v1alpha1.AuditEvent) (string, error) {
	record := &v1alpha1.AuditEvent{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "AuditEvent"},
		ObjectMeta: metav1.ObjectMeta{
			Name: ae.Name, GenerateName: ae.GenerateName, Namespace: ae.Namespace,
			Labels: ae.Labels, Annotations: ae.Annotations,
			OwnerReferences: ae.OwnerReferences, Finalizers: ae.Finalizers,
		},
		Spec: ae.Spec,
	}
	line, err := marshal(record)
	if err == nil && len(line) > maxLine { // package auditing bounds spec, so it is the metadata
		line, err = marshal(withoutExtras(record))
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("encoding the event: %w", err)
	case len(line) > maxLine:
		return "", fmt.Errorf("the line has %d bytes, at most %d", len(line), maxLine)
	}
	return line, nil
}

// withoutExtras leaves the metadata that this project sets itself.
func withoutExtras(ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent {
	before := len(ae.Labels) + len(ae.Annotations) + len(ae.OwnerReferences) + len(ae.Finalizers)
	ae.OwnerReferences, ae.Finalizers = nil, nil
	ae.Labels = only(ae.Labels, v1alpha1.LabelRun, v1alpha1.LabelDecision, v1alpha1.LabelKind, v1alpha1.LabelComponent)
	ae.Annotations = only(ae.Annotations, v1alpha1.AnnotationTimestamp)
	ae.Annotations[annotationOmitted] = fmt.Sprintf("%d labels, annotations, owners and finalizers left out: the line would be too long",
		before-len(ae.Labels)-len(ae.Annotations))
	return ae
}

func only(m map[string]string, keys ...string) map[string]string {
	kept := make(map[string]string, len(keys)+1)
	for _, key := range keys {
		if value, ok := m[key]; ok {
			kept[key] = value
		}
	}
	return kept
}

func marshal(ae *v1alpha1.AuditEvent) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // a person reads the line
	if err := encoder.Encode(ae); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// clean replaces what is not UTF-8, which protobuf does not carry, and U+FFFD
// itself, which Loki removes from metadata.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\uFFFD", "?")
}
