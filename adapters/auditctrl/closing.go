package auditctrl

import (
	"context"
	"errors"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/paddock-dev/audit/auditing"
)

const minClosing = 2 * time.Second

// Closing returns a Runnable that runs next, which is a manager, and then closes trail, a
// sink or what config.Open returns. The error is that of next joined with that of Close,
// which says what stayed unconfirmed.
//
// Start it in place of the manager. Add it to no manager: a manager stops its webhooks
// after all that was added to it, and they still write.
//
// grace is the time for both, counted from the end of the context, or from the end of
// next where that comes first. Close gets what next left of it, and 2 seconds at least.
// Have the manager's GracefulShutdownTimeout, 30 seconds by default, well below it, and
// terminationGracePeriodSeconds above it.
func Closing(next manager.Runnable, trail auditing.Closer, grace time.Duration) manager.Runnable {
	return manager.RunnableFunc(func(ctx context.Context) error {
		stopped := make(chan time.Time, 1)
		defer context.AfterFunc(ctx, func() { stopped <- time.Now() })()
		err := next.Start(ctx)
		since := time.Now()
		select {
		case since = <-stopped:
		default:
		}
		left := max(grace-time.Since(since), minClosing)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), left)
		defer cancel()
		return errors.Join(err, trail.Close(closing))
	})
}
