package auditctrl

import (
	"context"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/paddock-dev/audit/auditing"
)

const readyTimeout = 5 * time.Second

// Ready returns a check that fails while the destinations behind sink do not take events,
// with the error of auditing.Check. It ends with the request, and after 5 seconds at the
// latest. Each check asks the destinations, and stores nothing.
//
// Use it for the readiness of a component that fails closed. A component that goes on
// without its trail is ready without it, and a liveness check would restart it for an
// outage of somebody else.
func Ready(sink auditing.Sink) healthz.Checker {
	return func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		return auditing.Check(ctx, sink)
	}
}
