package sinktest_test

import (
	"context"
	"errors"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
)

// append stores ae even when its name is taken.
func (s *shelf) append(ae *v1alpha1.AuditEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, ae)
}

func (s *shelf) find(name string) *v1alpha1.AuditEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ae := range s.events {
		if ae.Name == name {
			return ae
		}
	}
	return nil
}

var repeatingFlaws = []flaw{{
	name: "stores every write",
	breaks: []string{
		"stores the same event once", "stores a retry after a timeout once", "stores a retry from another process once",
		"states what a repeat is",
	},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		if s.shelf.hangs != nil {
			return s.shelf.put(ctx, e)
		}
		err := s.shelf.answer(context.WithoutCancel(ctx))
		if err == nil {
			s.shelf.append(e.Object())
		}
		return errors.Join(err, ctx.Err())
	},
}, {
	name:   "looks first and stores then",
	breaks: []string{"stores the same event once"},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		if s.shelf.find(e.Name()) != nil {
			return nil
		}
		if err := s.shelf.answer(ctx); err != nil {
			return err
		}
		s.shelf.append(e.Object())
		return nil
	},
}, {
	name: "says that the event exists",
	breaks: []string{
		"stores the same event once", "stores a retry after a timeout once", "stores a retry from another process once",
		"states what a repeat is", "leaves no goroutine behind", // these clauses write twice
	},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		if err := s.shelf.answer(ctx); err != nil {
			return err
		}
		return s.shelf.keep(e, e.Object())
	},
}, {
	name:   "takes an attempt for a success",
	breaks: []string{"stores a retry after a timeout once"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		if ae != nil && ae.Name != "" && ae.Spec.Reason == "not on the list" && len(ae.Spec.Detail) == 0 {
			if _, tried := s.mine.LoadOrStore(ae.Name, true); tried && !s.gateClosed() {
				return nil
			}
		}
		return s.deliver(ctx, ae)
	},
}, {
	name:   "remembers in each sink what it wrote",
	breaks: []string{"stores a retry from another process once"},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		if err := s.shelf.answer(ctx); err != nil {
			return err
		}
		if _, known := s.mine.LoadOrStore(e.Name(), true); !known {
			s.shelf.append(e.Object())
		}
		return nil
	},
}, {
	name:   "takes the whole second for another time",
	breaks: []string{"stores a retry from another process once"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		return s.deliverWith(ctx, ae, func(ctx context.Context, e *driver.Event) error {
			if err := s.transport(ctx, e); err != nil {
				return err
			}
			if before := s.shelf.find(e.Name()); !before.Spec.Timestamp.Equal(&ae.Spec.Timestamp) {
				return driver.Permanent(errOtherEvent)
			}
			return nil
		})
	},
}, {
	name:   "gives an event the reason of the one before",
	breaks: []string{"stores the events of 64 writers, each once"},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		s.mine.Store("reason", e.Spec().Reason)
		if err := s.shelf.answer(ctx); err != nil {
			return err
		}
		ae := e.Object()
		if reason, ok := s.mine.Load("reason"); ok {
			ae.Spec.Reason = reason.(string)
		}
		if err := s.shelf.keep(e, ae); !errors.Is(err, errExists) {
			return err
		}
		return nil
	},
}, {
	name:   "loses what comes while it writes",
	breaks: []string{"stores the events of 64 writers, each once", "answers every write when closed meanwhile"},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		if _, busy := s.mine.LoadOrStore("busy", true); busy && s.shelf.hangs == nil {
			return nil
		}
		defer s.mine.Delete("busy")
		return s.shelf.put(ctx, e)
	},
}}

func (s *sink) gateClosed() bool {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	return s.gate.closed
}
