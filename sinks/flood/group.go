package flood

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/paddock-dev/audit/driver"
)

// group collects the events of one summary.
type group struct {
	key     key
	window  *window // nil for a summary across runs
	timer   *time.Timer
	attempt *attempt
	members []*member // in the order of arrival; while the group is open, some of them gone
	live    int       // members that are not gone
	count   int64     // of decisions, in the live ones
}

// member is one event in a group.
type member struct {
	id      identity
	event   *driver.Event // nil once it is gone
	group   *group
	writers int // that wait for it
}

// attempt is one write of a summary. err is read after done is closed.
type attempt struct {
	done chan struct{}
	err  error
}

func newAttempt() *attempt { return &attempt{done: make(chan struct{})} }

// countOf is the number of decisions that an event stands for.
func countOf(e *driver.Event) int64 { return int64(max(e.Spec().Count, 1)) }

// newGroup opens a group that is sent after wait. s.mu is held.
func (s *stage) newGroup(k key, w *window, wait time.Duration) *group {
	g := &group{key: k, window: w, attempt: newAttempt()}
	s.open[g] = true
	g.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		sum := s.seal(g)
		s.mu.Unlock()
		if sum != nil {
			s.deliver(sum, g)
		}
	})
	return g
}

func (g *group) add(m *member) {
	g.members = append(g.members, m)
	g.live++
	g.count += countOf(m.event)
}

func (g *group) remove(m *member) {
	g.count -= countOf(m.event)
	m.event = nil
	g.live--
	if len(g.members) > 2*g.live+64 { // events that come and go must not fill the memory
		g.members = slices.DeleteFunc(g.members, gone)
	}
}

// waits and leaves maintain the members without an outcome. s.mu is held.
func (s *stage) waits(m *member) {
	s.waiting[m.id] = m
	s.metrics.waiting.Inc()
}

func (s *stage) leaves(m *member) {
	delete(s.waiting, m.id)
	s.metrics.waiting.Dec()
}

func gone(m *member) bool { return m.event == nil }

// seal closes the group and begins its summary, whose event deliver makes. It returns
// nil when the group is empty or was sealed before. s.mu is held.
func (s *stage) seal(g *group) *summary {
	if !s.open[g] {
		return nil
	}
	g.timer.Stop()
	delete(s.open, g)
	if g.window != nil {
		g.window.group = nil
	} else {
		delete(s.across, g.key)
	}
	g.members = slices.DeleteFunc(g.members, gone)
	if len(g.members) == 0 {
		return nil
	}
	sum := &summary{count: len(g.members)}
	s.begin(sum, g.attempt)
	return sum
}

// await waits for the outcome of a ticket, or until ctx ends.
func (s *stage) await(ctx context.Context, t ticket) error {
	select {
	case <-t.attempt.done:
		return t.attempt.err
	case <-ctx.Done():
		return s.giveUp(ctx, t)
	}
}

// giveUp removes the event of a writer that stops waiting from its summary, unless the
// summary is under way.
func (s *stage) giveUp(ctx context.Context, t ticket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-t.attempt.done:
		return t.attempt.err
	default:
	}
	m := t.member
	if m == nil || !s.open[m.group] {
		return fmt.Errorf("collapsed into a summary that is under way, so the outcome is unknown: %w", ctx.Err())
	}
	m.writers--
	if m.writers == 0 {
		s.leaves(m)
		m.group.remove(m)
	}
	return fmt.Errorf("taken out of a summary that was not sent yet: %w", ctx.Err())
}

// window is the time in which the events of a key are collapsed.
type window struct {
	key   key
	end   time.Time
	group *group // of the events collapsed so far; nil when there are none
}

// prune forgets the windows that have ended.
func (s *stage) prune(now time.Time) {
	for len(s.ending) > 0 && !now.Before(s.ending[0].end) {
		delete(s.windows, s.ending[0].key)
		s.ending[0] = nil
		s.ending = s.ending[1:]
	}
}
