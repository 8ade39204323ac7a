// Package metrics counts events and writes.
//
// The collectors are package variables because a literal kube.Sink{...} has to
// count without being given a registry. They count from the start of the
// program, so that registering them later misses nothing.
package metrics

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// Other replaces unknown label values, and those beyond the first maxLabelValues, so
// that the number of series is bounded.
const Other = "other"

const (
	maxLabelValues = 100
	resultOK       = "ok"
)

var eventLabels = []string{"component", "decision", "kind"}

var (
	events = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "paddock_audit_events_total",
		Help: "Events given to Write, failed and invalid ones included, once each, by component, decision and kind. Kinds that are neither known nor registered count as other.",
	}, eventLabels)

	failures = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "paddock_audit_write_failures_total",
		Help: "Events whose Write failed, once each, by component, decision and kind. Invalid events are not among them.",
	}, eventLabels)

	invalid = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "paddock_audit_invalid_events_total",
		Help: "Events that no destination could store, because of what their program put into them, once each, by component, decision and kind.",
	}, eventLabels)

	// DryRuns counts events that were not stored because their request was a dry run.
	DryRuns = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "paddock_audit_dry_run_events_total",
		Help: "Events of dry-run requests, which are not stored because nothing was decided. No other metric counts them.",
	})

	// Pruned counts events of which the API server stored a part only.
	Pruned = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "paddock_audit_pruned_events_total",
		Help: "Events that the API server stored without their actor, object, request and trace, because its CRD is older than the component.",
	})

	writes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "paddock_audit_writes_total",
		Help: "Events that a sink or stage was to write, by result: ok or the class of the error.",
	}, []string{"sink", "result"})

	durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "paddock_audit_write_duration_seconds",
		Help:    "How long a sink or stage took to write an event, or several at once, failed or not.",
		Buckets: []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"sink"})

	componentLabels = labelSet{limit: maxLabelValues}
	sinkLabels      = labelSet{limit: maxLabelValues}
	eventCache      cache[eventKey, *series]
	meters          cache[string, *Meter]
)

// Register registers all collectors. Registering a second time with the same
// registry is harmless.
func Register(reg prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{events, failures, invalid, DryRuns, Pruned, writes, durations} {
		var already prometheus.AlreadyRegisteredError
		if err := reg.Register(c); err != nil && (!errors.As(err, &already) || already.ExistingCollector != c) {
			return fmt.Errorf("registering the audit metrics: %w", err)
		}
	}
	return nil
}

// Outcome is what became of an event that was given to Write.
type Outcome int

const (
	Stored  Outcome = iota
	Failed          // because of the destination
	Invalid         // because of what its program put into it
)

type (
	eventKey struct {
		component, decision, kind string
	}
	series struct{ all, failed, invalid prometheus.Counter }
)

// Event counts one event. The series of a failure is made before the first one, so
// that an increase from 0 is seen.
func Event(component string, decision v1alpha1.AuditDecision, kind v1alpha1.AuditKind, o Outcome) {
	key := eventKey{component, Other, kindLabel(kind)}
	if decision.Known() {
		key.decision = string(decision)
	}
	s := seriesOf(key)
	s.all.Inc()
	switch o {
	case Failed:
		s.failed.Inc()
	case Invalid:
		s.invalid.Inc()
	case Stored:
	}
}

func seriesOf(key eventKey) *series {
	if s, ok := eventCache.find(key); ok {
		return s
	}
	label := componentLabels.bound(key.component)
	s := &series{
		all:     events.WithLabelValues(label, key.decision, key.kind),
		failed:  failures.WithLabelValues(label, key.decision, key.kind),
		invalid: invalid.WithLabelValues(label, key.decision, key.kind),
	}
	if label == key.component {
		eventCache.keep(key, s)
	}
	return s
}

// Meter counts the writes of the sinks of one name.
type Meter struct {
	label string
	ok    prometheus.Counter
	took  prometheus.Observer
}

// MeterOf returns the meter of a sink's name.
func MeterOf(sink string) *Meter {
	if m, ok := meters.find(sink); ok {
		return m
	}
	label := sinkLabels.bound(sink)
	m := &Meter{label: label, ok: writes.WithLabelValues(label, resultOK), took: durations.WithLabelValues(label)}
	if label == sink {
		meters.keep(sink, m)
	}
	return m
}

// Took observes how long a write of one or more events took.
func (m *Meter) Took(d time.Duration) { m.took.Observe(d.Seconds()) }

// Stored counts n events that were written.
func (m *Meter) Stored(n int) {
	if n > 0 {
		m.ok.Add(float64(n))
	}
}

// Failed counts one event that was not stored, by the class of its error.
func (m *Meter) Failed(class string) { writes.WithLabelValues(m.label, class).Inc() }

// labelSet lets the first limit values through and maps the rest to Other.
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
		return Other
	}
	if l.seen == nil {
		l.seen = map[string]struct{}{}
	}
	l.seen[value] = struct{}{}
	return value
}
