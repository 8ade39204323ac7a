package webhook

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/internal/requestmetrics"
	"github.com/paddock-dev/audit/internal/sharedmetrics"
)

// metrics of the requests of all open Sinks that share a registry.
type metrics = requestmetrics.Metrics

// newMetrics returns the metrics of reg, which may be nil for none. release takes
// them out of reg when no other Sink has them.
func newMetrics(reg prometheus.Registerer) (m *metrics, release func(), err error) {
	m = requestmetrics.New(requestmetrics.Texts{
		Prefix: "paddock_audit_webhook_", One: "request", Many: "requests",
		Requests: "Requests to webhooks by the HTTP status of the answer; none when there was no answer.",
		Bytes:    "Size of the bodies of requests to webhooks.",
		Events:   "Events in a request to a webhook.",
		Duration: "Time that a webhook took to answer.",
		InFlight: "Requests to webhooks under way.",
	}, http.StatusNoContent)
	return sharedmetrics.Open(reg, m, m.Collectors()...)
}
