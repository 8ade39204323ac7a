package retry

import (
	"cmp"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/internal/sharedmetrics"
)

// metrics of the open Sinks of one name: attempts by what came of them.
type metrics struct {
	ok, again, refused, gaveUp prometheus.Counter
}

// openMetrics returns the metrics of a Sink in front of next, registered. release gives them back.
func openMetrics(opts *Options, next string) (m *metrics, release func(), err error) {
	name := cmp.Or(opts.Name, next)
	attempts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "paddock_audit_retry_attempts_total",
		Help: "Attempts to write an event, by what came of them: ok, again (it failed and another followed), " +
			"refused (it failed for good) or gave_up (it failed, and another was not allowed or had no time).",
		ConstLabels: prometheus.Labels{"retry": name},
	}, []string{"result"})
	m, release, err = sharedmetrics.Open(opts.Registerer, &metrics{
		ok: attempts.WithLabelValues("ok"), again: attempts.WithLabelValues("again"),
		refused: attempts.WithLabelValues("refused"), gaveUp: attempts.WithLabelValues("gave_up"),
	}, attempts)
	if err != nil {
		return nil, nil, fmt.Errorf("retry: registering the metrics of %q: %w", name, err)
	}
	return m, release, nil
}
