package auditing

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
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
	events = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "paddock_audit_events_total",
		Help: "Events given to Write, failed ones included, once each, by component, decision and kind. Kinds that are not known count as other.",
	}, []string{"component", "decision", "kind"})

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
	eventCache      cache[eventKey, eventSeries]
	writeCache      cache[writeKey, writeSeries]
)

// RegisterMetrics registers the metrics of all sinks of this program with reg.
// Importing sinks/kube does it for controller-runtime's registry; everybody else
// calls this once. Registering a second time with the same registry is harmless.
func RegisterMetrics(reg prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{events, failures, writes, durations} {
		var already prometheus.AlreadyRegisteredError
		if err := reg.Register(c); err != nil && (!errors.As(err, &already) || already.ExistingCollector != c) {
			return fmt.Errorf("registering the audit metrics: %w", err)
		}
	}
	return nil
}

// observe counts one write. An event and its failure count where the chain
// begins only; the series of a failure is made before the first one, so that an
// increase from 0 is seen.
func observe(t Target, ae *v1alpha1.AuditEvent, took time.Duration, err *WriteError, outermost bool) {
	result := resultOK
	if err != nil {
		result = string(err.Class)
	}
	w := seriesOfWrite(writeKey{t.Sink, result})
	w.count.Inc()
	w.took.Observe(took.Seconds())
	if !outermost {
		return
	}
	var key eventKey
	key.decision, key.kind = decisionAndKind(ae)
	if err == nil {
		key.component = componentOf(t, ae, nil)
		seriesOfEvent(key).all.Inc()
		return
	}
	key.component = err.Component
	series := seriesOfEvent(key)
	series.all.Inc()
	series.failed.Inc()
}

type (
	writeKey    struct{ sink, result string }
	writeSeries struct {
		count prometheus.Counter
		took  prometheus.Observer
	}
	eventKey    struct{ component, decision, kind string }
	eventSeries struct{ all, failed prometheus.Counter }
)

func seriesOfWrite(key writeKey) writeSeries {
	if s, ok := writeCache.find(key); ok {
		return s
	}
	label := sinkLabels.bound(key.sink)
	s := writeSeries{count: writes.WithLabelValues(label, key.result), took: durations.WithLabelValues(label)}
	if label == key.sink {
		writeCache.keep(key, s)
	}
	return s
}

func seriesOfEvent(key eventKey) eventSeries {
	if s, ok := eventCache.find(key); ok {
		return s
	}
	label := componentLabels.bound(key.component)
	s := eventSeries{
		all:    events.WithLabelValues(label, key.decision, key.kind),
		failed: failures.WithLabelValues(label, key.decision, key.kind),
	}
	if label == key.component {
		eventCache.keep(key, s)
	}
	return s
}

// cache spares each write the lookups of prometheus, which take longer than all
// else that is counted. Its keys are bounded labels, so it stays small and is
// copied to be added to.
type cache[K comparable, V any] struct {
	mu   sync.Mutex
	held atomic.Pointer[map[K]V]
}

func (c *cache[K, V]) find(key K) (v V, ok bool) {
	if held := c.held.Load(); held != nil {
		v, ok = (*held)[key]
	}
	return v, ok
}

func (c *cache[K, V]) keep(key K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	more := map[K]V{key: v}
	if held := c.held.Load(); held != nil {
		maps.Copy(more, *held)
	}
	c.held.Store(&more)
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
