package loki

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/internal/sharedmetrics"
)

// metrics of the pushes of all open Sinks that share a registry.
type metrics struct {
	pushes   *prometheus.CounterVec
	bytes    prometheus.Histogram
	events   prometheus.Histogram
	duration prometheus.Histogram
	inFlight prometheus.Gauge
}

// noAnswer is the status of a push without an answer.
const noAnswer = "none"

// newMetrics returns the metrics of reg, which may be nil for none. release takes
// them out of reg when no other Sink has them.
func newMetrics(reg prometheus.Registerer) (m *metrics, release func(), err error) {
	m = &metrics{
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "paddock_audit_loki_pushes_total",
			Help: "Pushes to Loki by the HTTP status of the answer; none when there was no answer.",
		}, []string{"status"}),
		bytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "paddock_audit_loki_push_bytes",
			Help:    "Size of the pushes to Loki before compression.",
			Buckets: prometheus.ExponentialBuckets(512, 4, 7), // to 2 MiB
		}),
		events: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "paddock_audit_loki_push_events",
			Help:    "Events in a push to Loki.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7), // to 4096
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "paddock_audit_loki_push_duration_seconds",
			Help:    "Time that Loki took to answer a push.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "paddock_audit_loki_in_flight",
			Help: "Pushes to Loki under way.",
		}),
	}
	m.pushes.WithLabelValues(strconv.Itoa(http.StatusNoContent)) // there from the start, at 0
	m.pushes.WithLabelValues(noAnswer)
	return sharedmetrics.Open(reg, m, m.pushes, m.bytes, m.events, m.duration, m.inFlight)
}

func (m *metrics) observe(a answer, events, size int, took time.Duration) {
	status := noAnswer
	if a.status != 0 {
		status = strconv.Itoa(a.status)
	}
	m.pushes.WithLabelValues(status).Inc()
	m.bytes.Observe(float64(size))
	m.events.Observe(float64(events))
	m.duration.Observe(took.Seconds())
}
