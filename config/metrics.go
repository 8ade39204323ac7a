package config

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/internal/sharedmetrics"
)

// reloadMetrics tell whether the file in use is the file on disk. A program with
// several trails and one registry counts them together.
type reloadMetrics struct {
	reloads *prometheus.CounterVec
	last    prometheus.Gauge
}

func newReloadMetrics(reg prometheus.Registerer) (*reloadMetrics, error) {
	m := &reloadMetrics{
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "paddock_audit_config_reloads_total",
			Help: "Configurations that were read, by result: applied, or refused while the old one goes on.",
		}, []string{"result"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "paddock_audit_config_last_reload_successful",
			Help: "1 when the configuration read last is in use, 0 when it was refused.",
		}),
	}
	m, _, err := sharedmetrics.Open(reg, m, m.reloads, m.last) // the counters outlive the trail
	if err != nil {
		return nil, fmt.Errorf("config: registering metrics: %w", err)
	}
	m.reloads.WithLabelValues("applied")
	m.reloads.WithLabelValues("refused")
	return m, nil
}

// count counts a configuration that was applied, or refused with err.
func (m *reloadMetrics) count(err error) {
	result, successful := "applied", 1.0
	if err != nil {
		result, successful = "refused", 0
	}
	m.reloads.WithLabelValues(result).Inc()
	m.last.Set(successful)
}
