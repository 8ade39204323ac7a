package seal

import (
	"cmp"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/internal/sharedmetrics"
)

// metrics of the open Sinks of one name.
type metrics struct {
	checkpoints, failures, folded, undeclared, boardFailures, ignored prometheus.Counter
	uncovered                                                         prometheus.Gauge
}

// openMetrics returns the metrics of a Sink in front of the chain next, registered.
// release gives them back.
func openMetrics(opts *Options, next string) (m *metrics, release func(), err error) {
	name := cmp.Or(opts.Name, next)
	labels := prometheus.Labels{"seal": name}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "paddock_audit_seal_" + name, Help: help, ConstLabels: labels})
	}
	m = &metrics{
		checkpoints:   counter("checkpoints_total", "Checkpoints that were stored."),
		failures:      counter("checkpoint_failures_total", "Attempts to store a checkpoint, or to have a key vouched for, that failed."),
		folded:        counter("folded_total", "Leaves that no checkpoint carries by themselves, because none was stored for too long."),
		undeclared:    counter("undeclared_total", "Events that a place lacks and no checkpoint says so, because there were too many."),
		boardFailures: counter("board_failures_total", "Exchanges of the heads of trails with the board that failed."),
		ignored:       counter("board_ignored_total", "Entries of the board that were ignored: they are not the signed head of a trail, or there are too many."),
		uncovered: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "paddock_audit_seal_uncovered", Help: "Sealed events and checkpoints that no stored checkpoint covers.", ConstLabels: labels,
		}),
	}
	m, release, err = sharedmetrics.Open(opts.Registerer, m, m.checkpoints, m.failures, m.folded, m.undeclared, m.boardFailures, m.ignored, m.uncovered)
	if err != nil {
		return nil, nil, fmt.Errorf("registering the metrics of %q: %w", name, err)
	}
	return m, release, nil
}
