package flood

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/time/rate"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

var errClosed = errors.New("the stage is closed")

// maxTokenWait is how many windows a summary across runs may wait for its token.
const maxTokenWait = 10

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
	for i, t := range tickets {
		if t.attempt != nil {
			outcomes[i] = s.await(ctx, t)
		}
	}
	return outcomes
}

// storeOne is Store for a single event. It needs none of the slices of a batch.
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

// handOn hands events to the next sink, and ends their writes.
func (s *stage) handOn(ctx context.Context, events []*driver.Event) []error {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.left(len(events))
	}()
	return s.next.Store(ctx, events)
}

// left ends n writes to next. s.mu is held.
func (s *stage) left(n int) {
	s.underWay -= n
	if s.underWay == 0 && s.drained != nil {
		close(s.drained)
		s.drained = nil
	}
}

// ticket is the decision about an event. An event that passes goes to the next sink
// unchanged, and is counted in underWay. An event with an attempt waits for its
// outcome. An event that is stored already has the zero ticket.
type ticket struct {
	passes  bool
	attempt *attempt
	member  *member // of the summary, while the event can still be taken out of it
}

func full(format string, args ...any) error {
	return driver.WithClass(auditing.ClassFull, fmt.Errorf(format, args...))
}

// admit decides whether an event passes, waits or is refused.
func (s *stage) admit(e *driver.Event) (ticket, error) {
	_, alone := s.standAlone[e.Kind()]
	var id identity
	if !alone {
		id = identityOf(e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ticket{}, driver.WithClass(auditing.ClassClosed, errClosed)
	}
	if alone {
		return s.pass(), nil
	}
	if m, ok := s.waiting[id]; ok { // the same event, by another writer or again
		m.writers++
		return ticket{attempt: m.group.attempt, member: m}, nil
	}
	if sum, ok := s.memory.get(id); ok && (sum == nil || !sum.forgotten) {
		return s.repeat(sum), nil
	}
	return s.admitNew(e, id)
}

// repeat decides about an event that was written before.
func (s *stage) repeat(sum *summary) ticket {
	switch {
	case sum == nil: // it passed, and the destination recognises the repeat
		return s.pass()
	case sum.stored:
		return ticket{}
	case sum.attempt == nil:
		s.begin(sum, newAttempt())
		go s.deliver(sum, nil)
	}
	return ticket{attempt: sum.attempt}
}

func (s *stage) admitNew(e *driver.Event, id identity) (ticket, error) {
	now := time.Now()
	s.prune(now)
	k := keyOf(e)
	tokens := s.limiter(k.component)
	w := s.windows[k]
	if w == nil && len(s.windows) < s.opts.MaxKeys && tokens.AllowN(now, 1) {
		w = &window{key: k, end: now.Add(s.opts.Window)}
		s.windows[k], s.ending = w, append(s.ending, w)
		s.memory.put(id, nil)
		return s.pass(), nil
	}
	if len(s.waiting) >= s.opts.MaxWaiting {
		s.metrics.overWaiting.Inc()
		return ticket{}, full("%d collapsed events are waiting already: is the destination too slow?", s.opts.MaxWaiting)
	}
	g, err := s.groupFor(k, w, tokens, now)
	if err != nil {
		return ticket{}, err
	}
	if g.count+countOf(e) > math.MaxInt32 { // a summary of summaries, more than a count can hold
		s.memory.put(id, nil)
		return s.pass(), nil
	}
	m := &member{id: id, event: e, group: g, writers: 1}
	g.add(m)
	s.waits(m)
	return ticket{attempt: g.attempt, member: m}, nil
}

// pass lets an event through unchanged.
func (s *stage) pass() ticket {
	s.underWay++
	return ticket{passes: true}
}

// groupFor returns the group that collects the events of k: that of its window,
// or the one across runs when there is no window, or no token for its summary.
func (s *stage) groupFor(k key, w *window, tokens *rate.Limiter, now time.Time) (*group, error) {
	if w != nil && w.group != nil {
		return w.group, nil
	}
	if w != nil {
		// The token that the summary will take at the end of the window.
		left := w.end.Sub(now)
		token := tokens.ReserveN(now, 1)
		if token.DelayFrom(now) <= left {
			w.group = s.newGroup(k, w, left)
			return w.group, nil
		}
		token.CancelAt(now)
	}
	k.run = ""
	if g := s.across[k]; g != nil {
		return g, nil
	}
	if len(s.across) >= s.opts.MaxKeys {
		s.metrics.overKeys.Inc()
		return nil, full("summaries across runs of %d namespaces, kinds and decisions are waiting already", s.opts.MaxKeys)
	}
	token := tokens.ReserveN(now, 1)
	wait := token.DelayFrom(now)
	if wait > maxTokenWait*s.opts.Window {
		token.CancelAt(now)
		s.metrics.overRate.Inc()
		return nil, full("component %q is over its rate of %v events a second, and a summary would have to wait %v",
			k.component, s.opts.Rate, wait.Round(time.Millisecond))
	}
	g := s.newGroup(k, nil, max(s.opts.Window, wait))
	s.across[k] = g
	return g, nil
}
