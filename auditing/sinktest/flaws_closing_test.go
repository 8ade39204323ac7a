package sinktest_test

import (
	"context"
	"errors"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// onceClosed returns a Write that calls another function after Close.
func onceClosed(late func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error) func(*sink, context.Context, *v1alpha1.AuditEvent) error {
	return func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		if s.gateClosed() {
			return late(s, ctx, ae)
		}
		return s.deliver(ctx, ae)
	}
}

var closingFlaws = []flaw{{
	name:   "writes after Close",
	breaks: []string{"refuses writes after Close"},
	write: onceClosed(func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		return s.deliverWith(ctx, ae, s.shelf.put)
	}),
}, {
	name:   "blocks after Close",
	breaks: []string{"refuses writes after Close", "answers every write when closed meanwhile"},
	write: onceClosed(func(s *sink, _ context.Context, _ *v1alpha1.AuditEvent) error {
		<-s.until
		return errClosed
	}),
}, {
	name:   "panics after Close",
	breaks: []string{"refuses writes after Close", "answers every write when closed meanwhile"},
	write: onceClosed(func(*sink, context.Context, *v1alpha1.AuditEvent) error {
		panic("send on closed channel")
	}),
}, {
	name:   "calls a closed sink transient",
	breaks: []string{"refuses writes after Close"},
	write: answering(func(we *auditing.WriteError) error {
		if we.Class == auditing.ClassClosed {
			we.Class = auditing.ClassTransient
		}
		return we
	}),
}, {
	name:   "answers before it stores, and Close does not wait",
	breaks: []string{"answers every write when closed meanwhile"},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		if s.shelf.fails != nil || s.shelf.hangs != nil {
			return s.shelf.put(ctx, e)
		}
		go func() {
			if s.shelf.answer(context.Background()) == nil && !s.gateClosed() {
				_ = s.shelf.keep(e, e.Object())
			}
		}()
		return nil
	},
}, {
	name:   "gives up a write when it is closed, and takes it for written",
	breaks: []string{"answers every write when closed meanwhile"},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		if err := s.shelf.answer(ctx); err != nil || s.gateClosed() {
			return err
		}
		return s.shelf.put(ctx, e)
	},
}, {
	name:   "closes for as long as it takes",
	breaks: []string{"ends Close with its context"},
	close: func(s *sink, ctx context.Context) error {
		return s.gate.close(context.WithoutCancel(ctx))
	},
}, {
	name:   "says closed while a write is under way",
	breaks: []string{"ends Close with its context"},
	close: func(s *sink, ctx context.Context) error {
		_ = s.gate.close(ctx)
		return nil
	},
}, {
	name:   "panics when closed again",
	breaks: []string{"can be closed twice"},
	close: func(s *sink, ctx context.Context) error {
		if s.gateClosed() {
			panic("close of closed channel")
		}
		return s.gate.close(ctx)
	},
}, {
	name:   "fails when closed again",
	breaks: []string{"can be closed twice"},
	close: func(s *sink, ctx context.Context) error {
		if s.gateClosed() {
			return errClosed
		}
		return s.gate.close(ctx)
	},
}, {
	name:   "never returns when closed again",
	breaks: []string{"can be closed twice"},
	close: func(s *sink, ctx context.Context) error {
		if s.gateClosed() {
			<-s.until
		}
		return s.gate.close(ctx)
	},
}}

var leakingFlaws = []flaw{{
	name:   "leaves a goroutine for each write",
	breaks: []string{"leaves no goroutine behind"},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		go func() { <-s.until }()
		return s.shelf.put(ctx, e)
	},
}, {
	name:   "leaves a goroutine for each write that failed",
	breaks: []string{"leaves no goroutine behind"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		err := s.deliver(ctx, ae)
		if err != nil {
			go func() { <-s.until }()
		}
		return err
	},
}, {
	name:   "leaves its worker running after Close",
	breaks: []string{"leaves no goroutine behind"},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		if _, running := s.mine.LoadOrStore("worker", true); !running {
			go func() { <-s.until }()
		}
		return s.shelf.put(ctx, e)
	},
}, {
	name:   "leaves a goroutine for a write that hung",
	breaks: []string{"leaves no goroutine behind"},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		err := s.shelf.put(ctx, e)
		if errors.Is(err, context.DeadlineExceeded) && s.shelf.hangs != nil {
			go func() {
				tick := time.NewTicker(time.Hour)
				defer tick.Stop()
				<-s.until
			}()
		}
		return err
	},
}}
