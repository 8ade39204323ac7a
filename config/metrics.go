package config

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
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
	if reg != nil {
		var err error
		if m.reloads, err = register(reg, m.reloads); err != nil {
			return nil, err
		}
		if m.last, err = register(reg, m.last); err != nil {
			return nil, err
		}
	}
	m.reloads.WithLabelValues("applied")
	m.reloads.WithLabelValues("refused")
	return m, nil
}

// register returns c, or its like that reg has already.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) (C, error) {
	err := reg.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	if err != nil {
		return c, fmt.Errorf("config: registering metrics: %w", err)
	}
	return c, nil
}

func (m *reloadMetrics) good() {
	m.reloads.WithLabelValues("applied").Inc()
	m.last.Set(1)
}

func (m *reloadMetrics) bad() {
	m.reloads.WithLabelValues("refused").Inc()
	m.last.Set(0)
}
