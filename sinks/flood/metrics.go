package flood

import (
	"cmp"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/internal/sharedmetrics"
)

// metrics of the open Sinks of one name.
type metrics struct {
	collapsed, summaries, failures prometheus.Counter
	waiting                        prometheus.Gauge
	// Events refused, by the bound that is reached.
	overWaiting, overKeys, overRate prometheus.Counter
}

// openMetrics returns the metrics of a Sink in front of the chain next, registered.
// release gives them back.
func openMetrics(opts *Options, next string) (m *metrics, release func(), err error) {
	name := cmp.Or(opts.Name, next)
	labels := prometheus.Labels{"flood": name}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "paddock_audit_flood_" + name, Help: help, ConstLabels: labels})
	}
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "paddock_audit_flood_refused_total",
		Help: "Events that had no room, by what was full: waiting (MaxWaiting), keys (MaxKeys), or rate (no token in time).",

		ConstLabels: labels,
	}, []string{"reason"})
	m = &metrics{
		collapsed: counter("collapsed_total", "Events in the summaries that were stored."),
		summaries: counter("summaries_total", "Summaries that were stored."),
		failures:  counter("summary_failures_total", "Writes of a summary that failed, each attempt."),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "paddock_audit_flood_waiting", Help: "Collapsed events without an outcome.", ConstLabels: labels,
		}),
		overWaiting: refused.WithLabelValues("waiting"),
		overKeys:    refused.WithLabelValues("keys"),
		overRate:    refused.WithLabelValues("rate"),
	}
	m, release, err = sharedmetrics.Open(opts.Registerer, m, m.collapsed, m.summaries, m.failures, m.waiting, refused)
	if err != nil {
		return nil, nil, fmt.Errorf("flood: registering the metrics of %q: %w", name, err)
	}
	return m, release, nil
}
