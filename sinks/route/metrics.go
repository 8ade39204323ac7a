package route

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/internal/sharedmetrics"
)

// openMetrics returns the counter of dropped events, registered. release gives it back.
func openMetrics(opts *Options, chain string) (dropped prometheus.Counter, release func(), err error) {
	name := opts.Name
	if name == "" {
		name = chain
	}
	dropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "paddock_audit_route_dropped_total", Help: "Events that no route took, and that are stored nowhere because the options say so.",
		ConstLabels: prometheus.Labels{"route": name},
	})
	dropped, release, err = sharedmetrics.Open(opts.Registerer, dropped, dropped)
	if err != nil {
		return nil, nil, fmt.Errorf("route: registering the metrics of %q: %w", name, err)
	}
	return dropped, release, nil
}
