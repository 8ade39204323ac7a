package loki

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the pushes of all Sinks that share a registry.
type metrics struct {
	pushes   *prometheus.CounterVec
	bytes    prometheus.Histogram
	events   prometheus.Histogram
	duration prometheus.Histogram
	inFlight prometheus.Gauge
}

// noAnswer is the status of a push without an answer.
const noAnswer = "none"

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
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
	if reg != nil {
		err := errors.Join(
			register(reg, &m.pushes), register(reg, &m.bytes), register(reg, &m.events),
			register(reg, &m.duration), register(reg, &m.inFlight))
		if err != nil {
			return nil, err
		}
	}
	m.pushes.WithLabelValues(strconv.Itoa(204)) // there from the start, at 0
	m.pushes.WithLabelValues(noAnswer)
	return m, nil
}

// register registers *c, or puts in its place the one that another Sink has
// registered.
func register[C prometheus.Collector](reg prometheus.Registerer, c *C) error {
	err := reg.Register(*c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			*c = existing
			return nil
		}
	}
	return err
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
