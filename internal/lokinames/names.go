// Package lokinames has the names that sinks/loki writes and that readers of Loki and
// VictoriaLogs select by.
package lokinames

// Labels of streams.
const (
	ServiceName = "service_name"
	Component   = "component"
	Namespace   = "namespace"
	// Late is the label of events that are not in their regular stream.
	Late = "late"
)

// LateSent is the value of Late for events that are stored under the time of sending.
const LateSent = "sent"

// DefaultServiceName is the value of ServiceName where nothing else is configured.
const DefaultServiceName = "audit"

// Structured metadata: plain snake_case, which Loki leaves as they are. It answers 500 to a
// whole request with a name that it cannot normalise.
const (
	Kind      = "kind"
	Decision  = "decision"
	Event     = "event"
	Run       = "run"
	EventTime = "event_time"
)
