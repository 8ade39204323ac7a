package retention

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Operations that can fail.
const (
	opList    = "list"
	opArchive = "archive"
	opDelete  = "delete"
	opClaim   = "claim"

	opTombstone = "tombstone"
)

type metrics struct {
	deleted, archived prometheus.Counter
	tombstones        prometheus.Counter
	failures          *prometheus.CounterVec
	passes            *prometheus.CounterVec
	lastSuccess       prometheus.Gauge
	oldestOverdue     prometheus.Gauge
	duration          prometheus.Histogram
	leader            prometheus.Gauge
}

// newMetrics makes every series, so that an alert on an increase sees the step
// from 0, and registers them where reg is not nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		deleted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "paddock_audit_reaper_deleted_total",
			Help: "Expired events that this reaper deleted. One that somebody else deleted first does not count.",
		}),
		archived: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "paddock_audit_reaper_archived_total",
			Help: "Expired events that the archive confirmed, those included that it had confirmed before.",
		}),
		tombstones: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "paddock_audit_reaper_tombstones_total",
			Help: "Tombstones of sealed events that were stored, with the checkpoint that covers them.",
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "paddock_audit_reaper_failures_total",
			Help: "Requests that failed, each attempt, by operation: list, archive, tombstone, delete or claim.",
		}, []string{"operation"}),
		passes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "paddock_audit_reaper_passes_total",
			Help: "Passes over all events, by result: ok, or failed where an expired event had to stay or the pass could not go on.",
		}, []string{"result"}),
		lastSuccess: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "paddock_audit_reaper_last_success_timestamp_seconds",
			Help: "When the last pass with the result ok ended, in seconds since 1970; 0 before the first.",
		}),
		oldestOverdue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "paddock_audit_reaper_oldest_overdue_seconds",
			Help: "How long past its retention the oldest event is that was still there when the last pass ended; 0 when none was.",
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "paddock_audit_reaper_pass_duration_seconds",
			Help:    "How long a pass took, failed or not.",
			Buckets: []float64{.1, .5, 1, 5, 15, 60, 300, 900, 3600, 14400},
		}),
		leader: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "paddock_audit_reaper_leader",
			Help: "1 while this reaper makes passes, 0 while another one leads.",
		}),
	}
	for _, op := range []string{opList, opArchive, opTombstone, opDelete, opClaim} {
		m.failures.WithLabelValues(op)
	}
	m.passes.WithLabelValues("ok")
	m.passes.WithLabelValues("failed")
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.deleted, m.archived, m.tombstones, m.failures, m.passes, m.lastSuccess, m.oldestOverdue, m.duration, m.leader,
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("retention: registering metrics: %w", err)
		}
	}
	return m, nil
}
