package sinktest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paddock-dev/audit/auditing"
)

// endsAfter is how long a write hangs before its context ends.
const endsAfter = 50 * time.Millisecond

var contextClauses = []Clause{{
	Name: "refuses to write under a context that has ended",
	Explanation: `A Write whose context is cancelled, or past its deadline, before it begins returns
at once with an error that is context.Canceled or context.DeadlineExceeded.`,
	check: refusesAnEndedContext,
}, {
	Name: "returns when its context is cancelled",
	Explanation: `While the destination does not answer, cancelling the context ends Write, promptly
and with an error that is context.Canceled. A sink that waits on a mutex, a channel
or a blocking call without looking at ctx holds its component up instead.`,
	check: func(p *probe) error { return p.endsWhileHanging(cancelled) },
}, {
	Name: "returns when its deadline passes",
	Explanation: `While the destination does not answer, the deadline ends Write, promptly and with
an error that is context.DeadlineExceeded, not with a timeout of the sink's own.`,
	check: func(p *probe) error { return p.endsWhileHanging(expired) },
}}

// ending is one way in which a context ends. Its context ends after the given time,
// or at once when that is 0.
type ending struct {
	cause error
	make  func(parent context.Context, after time.Duration) (context.Context, context.CancelFunc)
}

var cancelled = ending{context.Canceled, func(parent context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	if after <= 0 {
		cancel()
		return ctx, cancel
	}
	timer := time.AfterFunc(after, cancel)
	return ctx, func() { timer.Stop(); cancel() }
}}

var expired = ending{context.DeadlineExceeded, context.WithTimeout}

func refusesAnEndedContext(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	var errs []error
	for _, end := range []ending{cancelled, expired} {
		ctx, cancel := end.make(p.ctx, 0)
		err := p.endedWrite(ctx, subject.Sink, end.cause, 0)
		cancel()
		if err != nil {
			errs = append(errs, fmt.Errorf("under a context with %w: %w", end.cause, err))
		}
	}
	return errors.Join(errs...)
}

// endsWhileHanging writes twice, because the first write may still hold a lock or a
// slot, which must not keep the second write from ending.
func (p *probe) endsWhileHanging(end ending) error {
	fault, err := p.hanging()
	if err != nil {
		return err
	}
	for _, which := range []string{"first", "second"} {
		ctx, cancel := end.make(p.ctx, endsAfter)
		err := p.endedWrite(ctx, fault.Sink, end.cause, endsAfter)
		cancel()
		if err != nil {
			return fmt.Errorf("%s write to a destination that does not answer: %w", which, err)
		}
	}
	return nil
}

// endedWrite writes under a context that ends during the write.
func (p *probe) endedWrite(ctx context.Context, s auditing.Sink, cause error, after time.Duration) error {
	ae := p.event()
	err, broken := p.bounded("Write", after+p.h.Prompt, func() error { return s.Write(ctx, ae) })
	switch {
	case broken != nil:
		return broken
	case err == nil:
		return errWroteNil
	case !errors.Is(err, cause):
		return fmt.Errorf("the error is not %q: %w", cause.Error(), err)
	}
	return nil
}
