package seal_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/stagetest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/sinks/seal"
)

// patient takes the checkpoints that a destination refuses. Close has to try them until its
// time is over, and so would be slow wherever the suite has a destination that fails.
type patient struct{ next auditing.Sink }

func (p patient) Driver() (driver.Driver, auditing.Sink) { return taking{driver.Of(p.next)}, p }

func (p patient) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return p.next.Write(ctx, ae)
}

type taking struct{ driver.Driver }

func (d taking) Store(ctx context.Context, events []*driver.Event) []error {
	errs := d.Driver.Store(ctx, events)
	if events[0].OfTrail() {
		return nil
	}
	return errs
}

// The suite looks for the events that it wrote, so it does not see the checkpoints.
func TestConformance(t *testing.T) {
	for _, d := range stagetest.Destinations {
		t.Run(d.Name, func(t *testing.T) {
			h := d.Harness(t, func(next auditing.Sink) (auditing.Sink, error) {
				return seal.New(patient{next}, seal.Options{Component: "broker", Namespace: "default", Timeout: 100 * time.Millisecond})
			})
			made := h.New
			h.New = func(ctx context.Context) (sinktest.Subject, error) {
				subject, err := made(ctx)
				all := subject.Stored
				subject.Stored = func(ctx context.Context) ([]v1alpha1.AuditEvent, error) {
					events, err := all(ctx)
					return slices.DeleteFunc(events, func(ae v1alpha1.AuditEvent) bool { return trail.IsCheckpoint(ae.Spec.Kind) }), err
				}
				return subject, err
			}
			sinktest.Run(t, h)
		})
	}
}

var (
	_ auditing.Sink   = (*seal.Sink)(nil)
	_ auditing.Closer = (*seal.Sink)(nil)
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(dir))
		os.Exit(1)
	}
	ctrl.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m))
}
