package auditing

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/metrics"
)

// RegisterMetrics registers the metrics of all sinks of this program with reg.
// Importing sinks/kube does it for controller-runtime's registry; everybody else
// calls this once. Registering a second time with the same registry is harmless.
func RegisterMetrics(reg prometheus.Registerer) error { return metrics.Register(reg) }

// RegisterKinds has events of a program's own kinds count under their names. Without
// it they count as other, for a label must not have values without end: at most 100
// kinds are taken, for the whole program. Call it once, before the first event.
// When one is no DNS label, or they are too many, the error says so and none is
// registered. Registering a kind again is harmless.
func RegisterKinds(kinds ...v1alpha1.AuditKind) error { return metrics.RegisterKinds(kinds...) }
