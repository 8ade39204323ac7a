package otlp

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/internal/sharedmetrics"
)

// metrics of the requests of all open Sinks that share a registry.
type metrics struct {
	requests *prometheus.CounterVec
	rejected prometheus.Counter
	warnings prometheus.Counter
	bytes    prometheus.Histogram
	events   prometheus.Histogram
	duration prometheus.Histogram
	inFlight prometheus.Gauge
}

// noAnswer is the status of a request without an answer.
const noAnswer = "none"

// newMetrics returns the metrics of reg, which may be nil for none. release takes
// them out of reg when no other Sink has them.
func newMetrics(reg prometheus.Registerer) (m *metrics, release func(), err error) {
	m = &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "paddock_audit_otlp_requests_total",
			Help: "OTLP requests by the HTTP status of the answer; none when there was no answer.",
		}, []string{"status"}),
		rejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "paddock_audit_otlp_rejected_records_total",
			Help: "Records that receivers of OTLP rejected in answers of success (partial_success), those that were sent again included.",
		}),
		warnings: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "paddock_audit_otlp_warnings_total",
			Help: "Answers of receivers of OTLP that reject nothing and have a message.",
		}),
		bytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "paddock_audit_otlp_request_bytes",
			Help:    "Size of OTLP requests before compression.",
			Buckets: prometheus.ExponentialBuckets(512, 4, 7), // to 2 MiB
		}),
		events: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "paddock_audit_otlp_request_events",
			Help:    "Events in an OTLP request; 0 for a check.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7), // to 4096
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "paddock_audit_otlp_request_duration_seconds",
			Help:    "Time that an OTLP request took with its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "paddock_audit_otlp_in_flight",
			Help: "OTLP requests under way.",
		}),
	}
	m.requests.WithLabelValues(strconv.Itoa(http.StatusOK)) // there from the start, at 0
	m.requests.WithLabelValues(noAnswer)
	return sharedmetrics.Open(reg, m, m.requests, m.rejected, m.warnings, m.bytes, m.events, m.duration, m.inFlight)
}

func (m *metrics) observe(status, events, size int, took time.Duration) {
	text := noAnswer
	if status != 0 {
		text = strconv.Itoa(status)
	}
	m.requests.WithLabelValues(text).Inc()
	m.bytes.Observe(float64(size))
	m.events.Observe(float64(events))
	m.duration.Observe(took.Seconds())
}
