package otlp

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/internal/requestmetrics"
	"github.com/paddock-dev/audit/internal/sharedmetrics"
)

// metrics of the requests of all open Sinks that share a registry.
type metrics struct {
	*requestmetrics.Metrics

	rejected prometheus.Counter
	warnings prometheus.Counter
}

// newMetrics returns the metrics of reg, which may be nil for none. release takes
// them out of reg when no other Sink has them.
func newMetrics(reg prometheus.Registerer) (m *metrics, release func(), err error) {
	m = &metrics{
		Metrics: requestmetrics.New(requestmetrics.Texts{
			Prefix: "paddock_audit_otlp_", One: "request", Many: "requests",
			Requests: "OTLP requests by the HTTP status of the answer; none when there was no answer.",
			Bytes:    "Size of OTLP requests before compression.",
			Events:   "Events in an OTLP request; 0 for a check.",
			Duration: "Time that an OTLP request took with its answer.",
			InFlight: "OTLP requests under way.",
		}, http.StatusOK),
		rejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "paddock_audit_otlp_rejected_records_total",
			Help: "Records that receivers of OTLP rejected in answers of success (partial_success), those that were sent again included.",
		}),
		warnings: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "paddock_audit_otlp_warnings_total",
			Help: "Answers of receivers of OTLP that reject nothing and have a message.",
		}),
	}
	return sharedmetrics.Open(reg, m, append(m.Collectors(), m.rejected, m.warnings)...)
}
