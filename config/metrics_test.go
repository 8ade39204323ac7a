package config_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// metrics returns the series of the metric of this name.
func metrics(tb testing.TB, reg *prometheus.Registry, name string) []*dto.Metric {
	tb.Helper()
	families, err := reg.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()
		}
	}
	return nil
}

// gauge returns the sum of the series of a gauge, or -1 when the gauge has no series.
func gauge(tb testing.TB, reg *prometheus.Registry, name string) (sum float64) {
	tb.Helper()
	all := metrics(tb, reg, name)
	if len(all) == 0 {
		return -1
	}
	for _, m := range all {
		sum += m.GetGauge().GetValue()
	}
	return sum
}

// reloadsCounted returns how many reloads are counted with this result.
func reloadsCounted(tb testing.TB, reg *prometheus.Registry, result string) float64 {
	tb.Helper()
	for _, m := range metrics(tb, reg, "paddock_audit_config_reloads_total") {
		if m.GetLabel()[0].GetValue() == result {
			return m.GetCounter().GetValue()
		}
	}
	return -1
}
