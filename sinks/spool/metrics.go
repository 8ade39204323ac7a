package spool

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics of one Sink.
type metrics struct {
	all *prometheus.Registry

	delivered, deadLettered, failures, damaged, torn, fsyncFailures prometheus.Counter
	fsync                                                           prometheus.Histogram
}

func newMetrics(s *stage) *metrics {
	const prefix = "paddock_audit_spool_"
	all := prometheus.NewRegistry()
	auto := promauto.With(all)
	counter := func(name, help string) prometheus.Counter {
		return auto.NewCounter(prometheus.CounterOpts{Name: prefix + name, Help: help})
	}
	gauge := func(name, help string, value func() float64) {
		auto.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + name, Help: help}, value)
	}
	gauge("depth", "Events that wait for the next sink.", func() float64 { return float64(s.log.Stats().Depth) })
	gauge("bytes", "Bytes that the waiting events and the dead letters take.",
		func() float64 { return float64(s.log.Stats().Bytes + s.dead.bytes.Load()) })
	gauge("max_bytes", "The bound on them.", func() float64 { return float64(s.opts.MaxBytes) })
	gauge("oldest_age_seconds", "How long the oldest of the waiting events has waited.",
		func() float64 { return s.log.Stats().Age().Seconds() })
	gauge("dead_letters", "Dead letters on the disk, counted every second.", func() float64 { return float64(s.dead.count.Load()) })
	return &metrics{
		all:          all,
		delivered:    counter("delivered_total", "Events that the next sink took."),
		deadLettered: counter("dead_lettered_total", "Events that the next sink refused for good."),
		failures:     counter("failed_attempts_total", "Writes to the next sink that failed."),
		damaged:      counter("damaged_total", "Damaged records that were set aside, and segments that the disk refused to read."),
		torn:         counter("torn_tails_total", "Ends of segments that a crash left half-written."),
		fsync: auto.NewHistogram(prometheus.HistogramOpts{
			Name:    prefix + "fsync_duration_seconds",
			Help:    "How long an fsync of a segment took, failed or not.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
		fsyncFailures: counter("fsync_failures_total", "Fsyncs of a segment that failed."),
	}
}

// register registers the metrics, unless to is nil. unregister undoes that.
func (m *metrics) register(to prometheus.Registerer, name string) (unregister func(), err error) {
	if to == nil {
		return func() {}, nil
	}
	to = prometheus.WrapRegistererWith(prometheus.Labels{"spool": name}, to)
	if err := to.Register(m.all); err != nil {
		if errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			err = errors.New("another open spool has this name: set Options.Name")
		}
		return nil, fmt.Errorf("registering the metrics of spool %q: %w", name, err)
	}
	return func() { to.Unregister(m.all) }, nil
}

// synced counts an fsync.
func (m *metrics) synced(took time.Duration, err error) {
	m.fsync.Observe(took.Seconds())
	if err != nil {
		m.fsyncFailures.Inc()
	}
}
