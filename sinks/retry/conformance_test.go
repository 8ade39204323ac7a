package retry_test

import (
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/stagetest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/retry"
)

func TestConformance(t *testing.T) {
	for _, d := range stagetest.Destinations {
		t.Run(d.Name, func(t *testing.T) {
			sinktest.Run(t, d.Harness(t, func(next auditing.Sink) (auditing.Sink, error) {
				// Short, for the suite makes destinations fail in every clause.
				return retry.New(next, retry.Options{MinBackoff: 10 * time.Millisecond, Within: 10 * time.Second, MaxAttempts: 3})
			}))
		})
	}
}

var (
	_ auditing.Sink   = (*retry.Sink)(nil)
	_ auditing.Closer = (*retry.Sink)(nil)
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m))
}
