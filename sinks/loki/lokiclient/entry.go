package lokiclient

import (
	"fmt"
	"strings"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/common/model"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/eventjson"
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
func (h *handler) entry(e *driver.Event) (entry, error) {
	line, err := lineOf(e)
	if err != nil {
		return entry{}, err
	}
	made := entry{labels: model.LabelSet{}, time: e.Time(), line: line}
	for name, value := range map[model.LabelName]string{
		"service_name": h.serviceName, "component": e.Component(), "namespace": e.Namespace(),
	} {
		if value != "" {
			made.labels[name] = model.LabelValue(clean(value))
		}
	}
	made.metadata = append(made.metadata,
		push.LabelAdapter{Name: "kind", Value: string(e.Kind())},
		push.LabelAdapter{Name: "decision", Value: string(e.Decision())},
		push.LabelAdapter{Name: "event", Value: e.Name()})
	if run := e.Run(); run != "" {
		made.metadata = append(made.metadata, push.LabelAdapter{Name: "run", Value: clean(run)})
	}
	return made, nil
}

// lineOf returns the event's JSON.
func lineOf(e *driver.Event) (string, error) {
	line := e.JSON()
	if len(line) > maxLine { // package driver bounds spec, so it is the metadata
		line = eventjson.Append(nil, withoutExtras(e.Object()))
	}
	if len(line) > maxLine {
		return "", fmt.Errorf("the line has %d bytes, at most %d", len(line), maxLine)
	}
	return string(line), nil
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

// clean replaces what is not UTF-8, which protobuf does not carry, and U+FFFD
// itself, which Loki removes from metadata.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\uFFFD", "?")
}
