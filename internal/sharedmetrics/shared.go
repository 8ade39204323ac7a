// Package sharedmetrics registers the metrics of the stages of one name once. A
// configuration that is read again opens a changed stage before it closes the old
// one: both count together, and the counters go on.
package sharedmetrics

import (
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// shared is what the registry holds: the collectors of a stage, and what the
// stage counts with.
type shared[M any] struct {
	metrics    M
	collectors []prometheus.Collector

	mu    sync.Mutex
	users int // open stages; with none left it is not registered any more
}

// Open registers collectors with reg, which may be nil for none, and returns
// metrics; or those of the open stage that registered the same before. release
// gives them back, and may be called again. It is safe for concurrent use.
func Open[M any](reg prometheus.Registerer, metrics M, collectors ...prometheus.Collector) (M, func(), error) {
	s := &shared[M]{metrics: metrics, collectors: collectors, users: 1}
	if reg == nil {
		return metrics, func() {}, nil
	}
	for {
		err := reg.Register(s)
		if err == nil {
			break
		}
		var already prometheus.AlreadyRegisteredError
		if !errors.As(err, &already) {
			return metrics, nil, err
		}
		others, ok := already.ExistingCollector.(*shared[M])
		if !ok {
			return metrics, nil, errors.New("metrics of another kind have this name: set Options.Name")
		}
		if others.join() {
			s = others
			break
		}
	}
	return s.metrics, sync.OnceFunc(func() { s.release(reg) }), nil
}

// join adds a stage. It fails when the last one has left meanwhile.
func (s *shared[M]) join() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		return false
	}
	s.users++
	return true
}

func (s *shared[M]) release(reg prometheus.Registerer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.users == 0 {
		reg.Unregister(s)
	}
}

// Describe is for the registry.
func (s *shared[M]) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range s.collectors {
		c.Describe(ch)
	}
}

// Collect is for the registry.
func (s *shared[M]) Collect(ch chan<- prometheus.Metric) {
	for _, c := range s.collectors {
		c.Collect(ch)
	}
}
