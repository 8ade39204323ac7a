package sinktest_test

import (
	"context"
	"errors"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

var errOwnTimeout = errors.New("timed out")

// whileHanging returns a transport that passes a changed context to a destination that
// hangs.
func whileHanging(other func(ctx context.Context) (context.Context, context.CancelFunc)) func(*sink, context.Context, *driver.Event) error {
	return func(s *sink, ctx context.Context, e *driver.Event) error {
		if s.shelf.hangs != nil {
			var cancel context.CancelFunc
			ctx, cancel = other(ctx)
			defer cancel()
		}
		return s.shelf.put(ctx, e)
	}
}

var hangingFlaws = []flaw{{
	name:   "writes under a cancelled context",
	breaks: []string{"refuses to write under a context that has ended"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		if ctx.Err() != nil {
			ctx = context.WithoutCancel(ctx)
		}
		return s.deliver(ctx, ae)
	},
}, {
	name:   "does not hear of a cancelled context while it waits",
	breaks: []string{"returns when its context is cancelled"},
	send: whileHanging(func(ctx context.Context) (context.Context, context.CancelFunc) {
		if deadline, ok := ctx.Deadline(); ok {
			return context.WithDeadline(context.WithoutCancel(ctx), deadline)
		}
		return context.WithoutCancel(ctx), func() {}
	}),
}, {
	name: "does not hear of a deadline while it waits",
	breaks: []string{
		"returns when its deadline passes",
		"keeps nothing of the event", "leaves the batch as it is", "leaves no goroutine behind", // these clauses write under a deadline
	},
	send: whileHanging(func(ctx context.Context) (context.Context, context.CancelFunc) {
		deaf, cancel := context.WithCancel(context.WithoutCancel(ctx))
		context.AfterFunc(ctx, func() {
			if errors.Is(ctx.Err(), context.Canceled) {
				cancel()
			}
		})
		return deaf, cancel
	}),
}, {
	name:   "says timeout and not which context ended",
	breaks: []string{"returns when its deadline passes", "returns when its context is cancelled"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		before := ctx.Err()
		err := s.deliver(ctx, ae)
		if before == nil && ctx.Err() != nil {
			return &auditing.WriteError{Sink: "shelf", Event: ae.Name, Class: auditing.ClassTimeout, Err: errOwnTimeout}
		}
		return err
	},
}, {
	name: "queues behind a write that hangs",
	breaks: []string{
		"returns when its context is cancelled", "returns when its deadline passes",
		"keeps nothing of the event", "leaves no goroutine behind", // these clauses write twice
	},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		slot, _ := s.mine.LoadOrStore("slot", make(chan struct{}, 1))
		slot.(chan struct{}) <- struct{}{} // it ignores ctx
		done := make(chan error, 1)
		go func() {
			done <- s.shelf.put(context.WithoutCancel(ctx), e)
			<-slot.(chan struct{})
		}()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	},
}}

var owningFlaws = []flaw{{
	name:   "keeps the event itself",
	breaks: []string{"keeps nothing of the event"},
	write:  keeping(func(ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent { return ae }),
}, {
	name:   "copies the event, and not what it points to",
	breaks: []string{"keeps nothing of the event"},
	write: keeping(func(ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent {
		shallow := *ae
		return &shallow
	}),
}, {
	name:   "shortens the caller's event",
	breaks: []string{"leaves the caller's spec as it is"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		if ae != nil {
			ae.Spec.Reason = driver.Shorten(ae.Spec.Reason, v1alpha1.MaxReasonLength)
		}
		return s.deliver(ctx, ae)
	},
}, {
	name:   "notes a failure in the caller's event",
	breaks: []string{"leaves the caller's spec as it is"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		err := s.deliver(ctx, ae)
		if errors.Is(err, errDisk) {
			ae.Spec.Detail = map[string]string{"error": err.Error()}
		}
		return err
	},
}}

// keeping returns a Write that stores the result of kept, which is given the caller's
// event. It makes no copy.
func keeping(kept func(ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent) func(*sink, context.Context, *v1alpha1.AuditEvent) error {
	return func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		return s.deliverWith(ctx, ae, func(ctx context.Context, e *driver.Event) error {
			if err := s.gate.enter(); err != nil {
				return err
			}
			defer s.gate.leave()
			if e.Object().Spec.Reason != ae.Spec.Reason {
				return s.shelf.put(ctx, e) // the event was shortened, which is not what this flaw is about
			}
			return s.shelf.putAs(ctx, e, kept(ae))
		})
	}
}
