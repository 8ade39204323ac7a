package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Each makes a Store of a function that stores one event: it calls store for one
// event after the other. Once ctx has ended, the rest is not attempted.
func Each(ctx context.Context, events []*Event, store func(context.Context, *Event) error) []error {
	return Parallel(ctx, 1, events, store)
}

// Parallel is Each with up to n events under way at once. They may be stored in
// any order.
func Parallel(ctx context.Context, n int, events []*Event, store func(context.Context, *Event) error) []error {
	if len(events) == 1 {
		if err := store(ctx, events[0]); err != nil {
			return []error{err}
		}
		return nil
	}
	errs := make([]error, len(events))
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; i < int64(len(events)); i = next.Add(1) - 1 {
			errs[i] = errNoReturn // stays when store ends the goroutine
			errs[i] = one(ctx, events[i], store)
		}
	}
	var others sync.WaitGroup
	for range min(n, len(events)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	return outcomes(errs)
}

var errNoReturn = errors.New("the sink ended its goroutine instead of returning")

// one stores one event of several. A panic fails this event and no other.
func one(ctx context.Context, e *Event, store func(context.Context, *Event) error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("not attempted: %w", ctx.Err())
	}
	return guarded(func() error { return store(ctx, e) })
}

// All returns err as the outcome of all n events; nil for nil.
func All(n int, err error) []error {
	if err == nil {
		return nil
	}
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// outcomes returns nil for errs that are all nil.
func outcomes(errs []error) []error {
	for _, err := range errs {
		if err != nil {
			return errs
		}
	}
	return nil
}
