package sinktest_test

import (
	"context"
	"errors"
	"slices"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// passing returns a Store that stores only some of the events, as a sound sink stores them.
func passing(some func(events []*driver.Event) []*driver.Event) func(*sink, context.Context, []*driver.Event) []error {
	return func(s *sink, ctx context.Context, events []*driver.Event) []error {
		return driver.Each(ctx, some(events), s.transport)
	}
}

const ownOutcome, leavesBatch = "gives each event of a batch its own outcome", "leaves the batch as it is"

var batchFlaws = []flaw{{
	name:       "gives one outcome for all",
	recognises: true,
	breaks:     []string{ownOutcome},
	store: func(s *sink, ctx context.Context, events []*driver.Event) []error {
		return driver.All(len(events), errors.Join(driver.Each(ctx, events, s.transport)...))
	},
}, {
	name: "stores the first of a batch only",
	breaks: []string{
		ownOutcome, leavesBatch, "states what a repeat is", "refuses a batch after Close", // these clauses all store several events at once
	},
	store: passing(func(events []*driver.Event) []*driver.Event { return events[:1] }),
}, {
	name:       "gives the outcome of one event to the one behind it",
	recognises: true,
	breaks:     []string{ownOutcome},
	store: func(s *sink, ctx context.Context, events []*driver.Event) []error {
		errs := driver.Each(ctx, events, s.transport)
		if len(errs) > 1 {
			errs = append(errs[len(errs)-1:], errs[:len(errs)-1]...)
		}
		return errs
	},
}, {
	name:       "gives outcomes of the events that failed only",
	recognises: true,
	breaks:     []string{ownOutcome},
	store: func(s *sink, ctx context.Context, events []*driver.Event) []error {
		errs := driver.Each(ctx, events, s.transport)
		return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	},
}, {
	name:       "stops a batch at the first event that fails",
	recognises: true,
	breaks:     []string{ownOutcome},
	store: func(s *sink, ctx context.Context, events []*driver.Event) []error {
		errs := make([]error, len(events))
		for i, e := range events {
			if errs[i] = s.transport(ctx, e); errs[i] != nil {
				return append(errs[:i], driver.All(len(events)-i, errs[i])...)
			}
		}
		return nil
	},
}, {
	name:       "takes another event under a name that is taken for a repeat",
	recognises: true,
	breaks:     []string{ownOutcome},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		if err := s.shelf.put(ctx, e); !errors.Is(err, errOtherEvent) {
			return err
		}
		return nil
	},
}, {
	name:   "gives nil for a batch when some of it is stored",
	breaks: []string{ownOutcome},
	store: func(s *sink, ctx context.Context, events []*driver.Event) []error {
		errs := driver.Each(ctx, events, s.transport)
		if len(events) > 1 && s.shelf.fails != nil {
			return nil
		}
		return errs
	},
}, {
	name:   "filters the batch in place",
	races:  true,
	breaks: []string{leavesBatch},
	store: func(s *sink, ctx context.Context, events []*driver.Event) []error {
		errs := driver.Each(ctx, events, s.transport)
		slices.Reverse(events)
		return errs
	},
}, {
	name:   "appends to the batch",
	breaks: []string{leavesBatch},
	store: func(s *sink, ctx context.Context, events []*driver.Event) []error {
		errs := driver.Each(ctx, events, s.transport)
		_ = append(events, events[0])
		return errs
	},
}, {
	name:   "changes an event",
	breaks: []string{leavesBatch},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		err := s.shelf.put(ctx, e)
		e.Spec().Count = 7
		return err
	},
}, {
	name:   "keeps the batch",
	races:  true,
	breaks: []string{leavesBatch},
	store: func(s *sink, ctx context.Context, events []*driver.Event) []error {
		if len(events) == 1 || s.shelf.fails != nil || s.shelf.hangs != nil || s.gateClosed() {
			return driver.Each(ctx, events, s.transport)
		}
		taken := slices.ContainsFunc(events, func(e *driver.Event) bool { return s.shelf.find(e.Name()) != nil })
		if taken { // so that the sink has no other flaw
			return driver.Each(ctx, events, s.transport)
		}
		go func() {
			for i := range events {
				_ = s.shelf.put(context.WithoutCancel(ctx), events[i])
			}
		}()
		return nil
	},
}, {
	name:   "takes a batch after Close",
	breaks: []string{"refuses a batch after Close"},
	store: func(s *sink, ctx context.Context, events []*driver.Event) []error {
		if len(events) > 1 {
			return driver.Each(ctx, events, s.shelf.put)
		}
		return driver.Each(ctx, events, s.transport)
	},
}, {
	name:   "panics at a batch after Close",
	breaks: []string{"refuses a batch after Close"},
	store: func(s *sink, ctx context.Context, events []*driver.Event) []error {
		if len(events) > 1 && s.gateClosed() {
			panic("send on closed channel")
		}
		return driver.Each(ctx, events, s.transport)
	},
}, {
	name:   "states another component than it stamps",
	breaks: []string{"labels with the component it states"},
	info:   func(info *driver.Info) { info.Component = "broker" },
	send:   storing(func(ae *v1alpha1.AuditEvent) { ae.Labels["paddock.dev/component"] = "proxy" }),
}, {
	name:   "stamps a component and states none",
	breaks: []string{"labels with the component it states"},
	send:   storing(func(ae *v1alpha1.AuditEvent) { ae.Labels["paddock.dev/component"] = "proxy" }),
}, {
	name:       "says that a repeat is recognised, and it is folded",
	recognises: true,
	breaks:     []string{"states what a repeat is"},
	folds:      true,
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		if before := s.shelf.find(e.Name()); before != nil && !e.Same(before) {
			return driver.Permanent(errOtherEvent)
		}
		if err := s.shelf.answer(ctx); err != nil {
			return err
		}
		s.shelf.append(e.Object())
		return nil
	},
}, {
	name:   "states a kind of repeat that there is not",
	breaks: []string{"states what a repeat is"},
	info:   func(info *driver.Info) { info.Repeats = 7 },
}, {
	name:   "states another level than its driver",
	breaks: []string{"states its level"},
	wrap:   func(s *sink) auditing.Sink { return leveled{s.Sink} },
}, {
	name:   "fails its check",
	breaks: []string{"answers a check"},
	check:  func(*sink, context.Context) error { return errDisk },
}, {
	name:   "checks for as long as it takes",
	breaks: []string{"answers a check"},
	check: func(s *sink, ctx context.Context) error {
		return s.shelf.answer(context.WithoutCancel(ctx))
	},
}}

// leveled is a sink that states a level other than that of its driver.
type leveled struct{ driver.Sink }

func (leveled) Level() auditing.Level { return auditing.LevelDurable }
