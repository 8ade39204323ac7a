package spool

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one Sink.
type metrics struct {
	delivered, deadLettered, failures prometheus.Counter
	damaged, torn                     prometheus.Counter
	fsync                             prometheus.Histogram
	fsyncFailures                     prometheus.Counter

	registerer prometheus.Registerer // nil for none
	registered []prometheus.Collector
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "paddock_audit_spool_" + name, Help: help})
}

// newMetrics makes the metrics of q and registers them, all or none.
func newMetrics(q *queue) (*metrics, error) {
	m := &metrics{
		delivered:    counter("delivered_total", "Events that the next sink took."),
		deadLettered: counter("dead_lettered_total", "Events that the next sink refused for good."),
		failures:     counter("failed_attempts_total", "Writes to the next sink that failed."),
		damaged:      counter("damaged_total", "Damaged records that were set aside, and segments that the disk refused to read."),
		torn:         counter("torn_tails_total", "Ends of segments that a crash left half-written."),
		fsync: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "paddock_audit_spool_fsync_duration_seconds",
			Help:    "How long an fsync of a segment took, failed or not.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
		fsyncFailures: counter("fsync_failures_total", "Fsyncs of a segment that failed."),
	}
	if q.opts.Registerer == nil {
		return m, nil
	}
	name := q.opts.Name
	if name == "" {
		name = q.next.Info().Chain
	}
	m.registerer = prometheus.WrapRegistererWith(prometheus.Labels{"spool": name}, q.opts.Registerer)
	all := append(m.gauges(q), m.delivered, m.deadLettered, m.failures, m.damaged, m.torn, m.fsync, m.fsyncFailures)
	for _, c := range all {
		if err := m.registerer.Register(c); err != nil {
			m.unregister()
			var already prometheus.AlreadyRegisteredError
			if errors.As(err, &already) {
				err = errors.New("another open spool has this name: set Options.Name")
			}
			return nil, fmt.Errorf("registering the metrics of spool %q: %w", name, err)
		}
		m.registered = append(m.registered, c)
	}
	return m, nil
}

// gauges look at q whenever they are asked.
func (m *metrics) gauges(q *queue) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "paddock_audit_spool_" + name, Help: help}, func() float64 {
			q.mu.Lock()
			defer q.mu.Unlock()
			return value()
		})
	}
	return []prometheus.Collector{
		gauge("depth", "Events that wait for the next sink.", func() float64 { return float64(q.depth) }),
		gauge("bytes", "Bytes that the waiting events and the dead letters take.", func() float64 { return float64(q.bytes + q.dead.bytes) }),
		gauge("max_bytes", "The bound on them.", func() float64 { return float64(q.opts.MaxBytes) }),
		gauge("oldest_age_seconds", "How long the oldest of the waiting events has waited.", func() float64 { return q.age(time.Now()).Seconds() }),
		gauge("dead_letters", "Dead letters on the disk, counted every second.", func() float64 { return float64(q.dead.count) }),
	}
}

// unregister takes back what newMetrics registered; m may be nil.
func (m *metrics) unregister() {
	if m == nil {
		return
	}
	for _, c := range m.registered {
		m.registerer.Unregister(c)
	}
	m.registered = nil
}
