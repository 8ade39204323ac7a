// Package collector says what the 200 of an OpenTelemetry Collector is worth, as far as its configuration tells: how an
// event is still lost after the collector has confirmed it, and which key to change.
//
// It knows the OTLP receiver, the OTLP exporters and the sending queue of collector v0.165.0. Of other components it says
// that they are not known, and never that they are safe.
package collector

import "slices"

// Worth is what a 200 of the collector says about the events of its request. A larger one says more.
type Worth int

const (
	// NotKnown: a component that this package does not know stands in the way.
	NotKnown Worth = iota
	// Nothing: no exporter keeps the events.
	Nothing
	// Accepted: the collector has the events, and a kill or a power loss can lose them.
	Accepted
	// Durable: the collector has the events on its disk, synced.
	Durable
	// Acknowledged: the backend has answered that it has the events. What that is worth, the backend has to say.
	Acknowledged
)

var worths = []string{NotKnown: "not known", Nothing: "nothing", Accepted: "accepted", Durable: "durable", Acknowledged: "acknowledged"}

// String returns the word for w: "durable".
func (w Worth) String() string { return worths[w] }

// MarshalText returns the word for w.
func (w Worth) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// Cause is how an event is lost that the collector has confirmed.
type Cause string

// The causes.
const (
	// Kill: the collector's process is killed, or its machine loses power.
	Kill Cause = "kill"
	// Power: the machine loses power. A kill of the process alone loses nothing.
	Power Cause = "power"
	// RetryLimit: the backend is away for longer than the collector tries again.
	RetryLimit Cause = "retry-limit"
	// QueueFull: the queue has no room, and the sender does not hear of it.
	QueueFull Cause = "queue-full"
	// Refused: the backend refuses the event for good.
	Refused Cause = "refused"
	// PartialSuccess: the backend answers 200 and rejects some events of the request.
	PartialSuccess Cause = "partial-success"
	// KillAtStart: the collector is killed a second time, while it starts after the first.
	KillAtStart Cause = "kill-at-start"
	// Damaged: the file of the queue is damaged, and the collector begins a new one.
	Damaged Cause = "damaged-queue"
	// Dropped: a processor is there to drop events.
	Dropped Cause = "dropped"
	// Unknown: a component is not known, and may lose events in any way.
	Unknown Cause = "not-known"
)

// Loss is a way in which an event is lost after the 200.
type Loss struct {
	Cause Cause `json:"cause"`
	// Text says when the event is lost.
	Text string `json:"text"`
	// Key is what to change in the configuration, and Change is to what. Both are empty where no key helps.
	Key    string `json:"key,omitempty"`
	Change string `json:"change,omitempty"`
}

// Way is the way of an event through the collector, from a receiver to one exporter.
type Way struct {
	// Path are the components in their order: "otlp", "batch", "otlp_http/backend".
	Path  []string `json:"path"`
	Worth Worth    `json:"worth"`
	// Losses remain after a 200.
	Losses []Loss `json:"losses,omitempty"`
}

// Pipeline is a pipeline of logs that an OTLP receiver feeds.
type Pipeline struct {
	Name string `json:"name"`
	// Worth is the lowest of all exporters that keep events: the collector answers 200 when all of them have taken it.
	Worth Worth `json:"worth"`
	Ways  []Way `json:"ways"`
}

// Report is what a configuration says.
type Report struct {
	// Pipelines in the order of their names, at least one.
	Pipelines []Pipeline `json:"pipelines"`
}

// Good reports that no change of the configuration would save an event: nothing is unknown, and no key
// helps against the losses that remain.
func (r *Report) Good() bool {
	for _, p := range r.Pipelines {
		if p.Worth <= Nothing {
			return false
		}
		for _, w := range p.Ways {
			if slices.ContainsFunc(w.Losses, func(l Loss) bool { return l.Key != "" }) {
				return false
			}
		}
	}
	return true
}

// lowest returns the worth of a pipeline. An exporter that keeps nothing, such as debug, does not lower it beside others.
func lowest(ways []Way) Worth {
	worth, keeps := Acknowledged, false
	for _, w := range ways {
		if w.Worth != Nothing {
			worth, keeps = min(worth, w.Worth), true
		}
	}
	if !keeps {
		return Nothing
	}
	return worth
}
