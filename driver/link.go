package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/metrics"
)

// link wraps a Driver for its callers. It measures and counts each call, turns a panic
// into an error, and wraps each error in an *auditing.WriteError.
type link struct {
	driver Driver
	info   Info
	meter  *metrics.Meter
}

func newLink(d Driver) *link {
	if l, ok := d.(*link); ok {
		return l
	}
	info := d.Info()
	if info.Chain == "" {
		info.Chain = info.Name
	}
	return &link{driver: d, info: info, meter: metrics.MeterOf(info.Name)}
}

// Info returns that of the driver.
func (l *link) Info() Info { return l.info }

// Check asks the driver.
func (l *link) Check(ctx context.Context) error {
	return guarded(func() error { return l.driver.Check(ctx) })
}

// Close closes the driver.
func (l *link) Close(ctx context.Context) error {
	return guarded(func() error { return l.driver.Close(ctx) })
}

// guarded calls a function of a driver. A panic becomes an error.
func guarded(call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
	}()
	return call()
}

// Store stores events with the driver. Each outcome is nil or an
// *auditing.WriteError.
func (l *link) Store(ctx context.Context, events []*Event) []error {
	start := time.Now()
	errs := l.call(ctx, events)
	l.meter.Took(time.Since(start))
	if errs == nil {
		l.meter.Stored(len(events))
		return nil
	}
	failed := 0
	for i, err := range errs {
		if err == nil {
			continue
		}
		failed++
		we := writeError(ctx, &l.info, events[i], err)
		errs[i] = we
		l.meter.Failed(string(we.Class))
	}
	l.meter.Stored(len(events) - failed)
	if failed == 0 {
		return nil
	}
	return errs
}

// call calls the driver. A panic of the driver must not end the program.
func (l *link) call(ctx context.Context, events []*Event) (errs []error) {
	defer func() {
		if r := recover(); r != nil {
			errs = All(len(events), panicked(r))
		}
	}()
	errs = l.driver.Store(ctx, events)
	if errs != nil && len(errs) != len(events) {
		return All(len(events), fmt.Errorf("%s is broken: it gave %d outcomes for %d events, so what became of them is unknown",
			l.info.Name, len(errs), len(events)))
	}
	return errs
}

// writeError wraps an error of a driver. One that panics when it is looked into is left out.
func writeError(ctx context.Context, info *Info, e *Event, err error) (we *auditing.WriteError) {
	defer func() {
		if r := recover(); r != nil {
			we = &auditing.WriteError{
				Sink: info.Name, Event: e.Ref(), Component: e.Component(), Class: auditing.ClassPermanent, Err: panicked(r),
			}
		}
	}()
	// Some clients answer for an ended context with an error of their own.
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	class, after := ClassOf(err)
	return &auditing.WriteError{
		Sink: info.Name, Event: e.Ref(), Component: e.Component(), Class: class, RetryAfter: after, Err: err,
	}
}
