// Package requestmetrics has the metrics of a destination that sends events in HTTP requests.
package requestmetrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Texts name the metrics and say what they are.
type Texts struct {
	Prefix    string // of all names, such as "paddock_audit_loki_"
	One, Many string // a request and requests in a name, such as "push" and "pushes"

	Requests, Bytes, Events, Duration, InFlight string // what each metric says
}

// Metrics count requests. They are safe for concurrent use.
type Metrics struct {
	InFlight prometheus.Gauge

	requests *prometheus.CounterVec
	bytes    prometheus.Histogram
	events   prometheus.Histogram
	duration prometheus.Histogram
}

// noAnswer is the label status of a request without an answer.
const noAnswer = "none"

// New returns metrics that no registry has yet. The counter of the status success is there from
// the start, at 0, and so is that of no answer.
func New(t Texts, success int) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: t.Prefix + t.Many + "_total", Help: t.Requests}, []string{"status"}),
		bytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: t.Prefix + t.One + "_bytes", Help: t.Bytes,
			Buckets: prometheus.ExponentialBuckets(512, 4, 7), // to 2 MiB
		}),
		events: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: t.Prefix + t.One + "_events", Help: t.Events,
			Buckets: prometheus.ExponentialBuckets(1, 4, 7), // to 4096
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: t.Prefix + t.One + "_duration_seconds", Help: t.Duration,
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		InFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: t.Prefix + "in_flight", Help: t.InFlight}),
	}
	m.requests.WithLabelValues(strconv.Itoa(success))
	m.requests.WithLabelValues(noAnswer)
	return m
}

// Collectors returns all of the metrics, for a registry.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.bytes, m.events, m.duration, m.InFlight}
}

// Observe counts a request of this many events and bytes. status is 0 when there was no answer.
func (m *Metrics) Observe(status, events, size int, took time.Duration) {
	text := noAnswer
	if status != 0 {
		text = strconv.Itoa(status)
	}
	m.requests.WithLabelValues(text).Inc()
	m.bytes.Observe(float64(size))
	m.events.Observe(float64(events))
	m.duration.Observe(took.Seconds())
}
