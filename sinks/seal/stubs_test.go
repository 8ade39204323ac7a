package seal_test

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/trail"
)

// checkpointsFail is a destination that takes events, and no checkpoints while fail is set.
type checkpointsFail struct {
	*sinktest.Recorder

	fail atomic.Bool
}

func (c *checkpointsFail) Driver() (driver.Driver, auditing.Sink) {
	d, _ := c.Recorder.Driver()
	return refusing{d, c}, c
}

type refusing struct {
	driver.Driver

	of *checkpointsFail
}

func (r refusing) Store(ctx context.Context, events []*driver.Event) []error {
	if trail.IsCheckpoint(events[0].Kind()) && r.of.fail.Load() {
		return driver.All(len(events), errors.New("no room"))
	}
	return r.Driver.Store(ctx, events)
}

// informed is a destination that says this of itself, and stores everything.
type informed struct{ info driver.Info }

func (i informed) Info() driver.Info                            { return i.info }
func (informed) Check(context.Context) error                    { return nil }
func (informed) Close(context.Context) error                    { return nil }
func (informed) Store(context.Context, []*driver.Event) []error { return nil }
