package loki

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/internal/requestmetrics"
	"github.com/paddock-dev/audit/internal/sharedmetrics"
)

// metrics of the pushes of all open Sinks that share a registry.
type metrics = requestmetrics.Metrics

// newMetrics returns the metrics of reg, which may be nil for none. release takes
// them out of reg when no other Sink has them.
func newMetrics(reg prometheus.Registerer) (m *metrics, release func(), err error) {
	m = requestmetrics.New(requestmetrics.Texts{
		Prefix: "paddock_audit_loki_", One: "push", Many: "pushes",
		Requests: "Pushes to Loki by the HTTP status of the answer; none when there was no answer.",
		Bytes:    "Size of the pushes to Loki before compression.",
		Events:   "Events in a push to Loki.",
		Duration: "Time that Loki took to answer a push.",
		InFlight: "Pushes to Loki under way.",
	}, http.StatusNoContent)
	return sharedmetrics.Open(reg, m, m.Collectors()...)
}
