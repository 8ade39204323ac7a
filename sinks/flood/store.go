package flood

import (
	"context"

	"github.com/paddock-dev/audit/driver"
)

// Store hands on the events that pass, as one batch, and waits for the outcomes of
// the others. Their summaries go meanwhile, on goroutines of their own.
func (s *stage) Store(ctx context.Context, events []*driver.Event) []error {
	if len(events) == 1 {
		return s.storeOne(ctx, events)
	}
	outcomes := make([]error, len(events))
	tickets := make([]ticket, len(events))
	var passing []*driver.Event
	var at []int // the places of passing in events
	for i, e := range events {
		tickets[i], outcomes[i] = s.admit(e)
		if tickets[i].passes {
			passing, at = append(passing, e), append(at, i)
		}
	}
	if len(passing) > 0 {
		for i, err := range s.handOn(ctx, passing) {
			outcomes[at[i]] = err
		}
	}
	stored := 0
	for i, t := range tickets {
		if t.attempt != nil {
			outcomes[i] = s.await(ctx, t)
		}
		if outcomes[i] == nil {
			stored++
		}
	}
	if stored == len(events) {
		return nil
	}
	return outcomes
}

// storeOne is Store for one event, as a writer has it.
func (s *stage) storeOne(ctx context.Context, events []*driver.Event) []error {
	t, err := s.admit(events[0])
	switch {
	case t.passes:
		return s.handOn(ctx, events)
	case t.attempt != nil:
		err = s.await(ctx, t)
	}
	return driver.All(1, err)
}

// handOn hands events to the next sink, and counts them off.
func (s *stage) handOn(ctx context.Context, events []*driver.Event) []error {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.left(len(events))
	}()
	return s.next.Store(ctx, events)
}

// left counts off n writes to next. s.mu is held.
func (s *stage) left(n int) {
	s.underWay -= n
	if s.underWay == 0 && s.drained != nil {
		close(s.drained)
		s.drained = nil
	}
}
