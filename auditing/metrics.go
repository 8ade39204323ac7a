package auditing

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// otherLabel stands for every label value beyond the known or the first
// maxLabelValues, so that no caller can make series without end.
const (
	otherLabel     = "other"
	maxLabelValues = 100
	resultOK       = "ok"
)

// The collectors are package variables because a literal kube.Sink{...} has to
// count without being given a registry; they count from the start, and whoever
// registers them later sees it all.
var (
	failures = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "paddock_audit_write_failures_total",
		Help: "Events whose Write failed, once each, by component, decision and kind. Kinds that are not known count as other.",
	}, []string{"component", "decision", "kind"})

	writes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "paddock_audit_writes_total",
		Help: "Writes of every sink and stage, by result: ok or the class of the error.",
	}, []string{"sink", "result"})

	durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "paddock_audit_write_duration_seconds",
		Help:    "How long a Write of a sink or stage took, failed or not.",
		Buckets: []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"sink"})

	componentLabels = labelSet{limit: maxLabelValues}
	sinkLabels      = labelSet{limit: maxLabelValues}
)

// RegisterMetrics registers the metrics of all sinks of this program with reg.
// Importing sinks/kube does it for controller-runtime's registry; everybody else
// calls this once. Registering a second time with the same registry is harmless.
func RegisterMetrics(reg prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{failures, writes, durations} {
		var already prometheus.AlreadyRegisteredError
		if err := reg.Register(c); err != nil && (!errors.As(err, &already) || already.ExistingCollector != c) {
			return fmt.Errorf("registering the audit metrics: %w", err)
		}
	}
	return nil
}

// observe counts one write. A failure counts where the chain begins only; its
// series is made before the first failure, so that an increase from 0 is seen.
func observe(t Target, ae *v1alpha1.AuditEvent, took time.Duration, err *WriteError, outermost bool) {
	sink := sinkLabels.bound(t.Sink)
	var result, component string
	if err != nil {
		result, component = string(err.Class), err.Component
	} else {
		result, component = resultOK, componentOf(t, ae, nil)
	}
	writes.WithLabelValues(sink, result).Inc()
	durations.WithLabelValues(sink).Observe(took.Seconds())
	if !outermost {
		return
	}
	decision, kind := decisionAndKind(ae)
	counter := failures.WithLabelValues(componentLabels.bound(component), decision, kind)
	if err != nil {
		counter.Inc()
	}
}

func decisionAndKind(ae *v1alpha1.AuditEvent) (decision, kind string) {
	decision, kind = otherLabel, otherLabel
	if ae == nil {
		return decision, kind
	}
	if ae.Spec.Decision.Known() {
		decision = string(ae.Spec.Decision)
	}
	if ae.Spec.Kind.Known() {
		kind = string(ae.Spec.Kind)
	}
	return decision, kind
}

// labelSet lets the first limit values through and maps the rest to otherLabel.
type labelSet struct {
	limit int
	mu    sync.RWMutex
	seen  map[string]struct{}
}

func (l *labelSet) bound(value string) string {
	l.mu.RLock()
	_, ok := l.seen[value]
	l.mu.RUnlock()
	if ok {
		return value
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.seen[value]; ok {
		return value
	}
	if len(l.seen) >= l.limit {
		return otherLabel
	}
	if l.seen == nil {
		l.seen = map[string]struct{}{}
	}
	l.seen[value] = struct{}{}
	return value
}
