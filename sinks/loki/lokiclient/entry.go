package lokiclient

import (
	"fmt"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/common/model"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/sinks/loki/internal/lines"
)

// maxLine is just under Loki's default of 256 KiB a line (max_line_size). Loki
// refuses a longer one, and with it this client drops the whole batch.
const maxLine = 255 << 10

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
			made.labels[name] = model.LabelValue(lines.Clean(value))
		}
	}
	made.metadata = append(made.metadata,
		push.LabelAdapter{Name: "kind", Value: string(e.Kind())},
		push.LabelAdapter{Name: "decision", Value: string(e.Decision())},
		push.LabelAdapter{Name: "event", Value: e.Name()})
	if run := e.Run(); run != "" {
		made.metadata = append(made.metadata, push.LabelAdapter{Name: "run", Value: lines.Clean(run)})
	}
	return made, nil
}

// lineOf returns the event's JSON.
func lineOf(e *driver.Event) (string, error) {
	line := e.JSON()
	if len(line) > maxLine { // package driver bounds spec, so it is the metadata
		ae := e.Object()
		lines.OmitMetadata(ae)
		line = eventjson.Append(nil, ae)
	}
	if len(line) > maxLine {
		return "", fmt.Errorf("the line has %d bytes, at most %d", len(line), maxLine)
	}
	return string(line), nil
}
