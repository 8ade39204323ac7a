package loki

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// Store gives each event to the stream that it belongs to, and waits until all of
// them have an outcome. An event that Loki calls too late goes to another stream
// then.
func (s *store) Store(ctx context.Context, events []*driver.Event) (errs []error) {
	c, err := s.begin(events)
	if err != nil {
		return driver.All(len(events), err)
	}
	defer func() { errs = s.end(c) }()
	var begun time.Time
	if s.disk != nil {
		begun = time.Now()
	}
	for i := range c.entries {
		e := &c.entries[i]
		if err := s.opts.keeps(e.event); err != nil {
			e.settled, e.verdict = true, verdict{refused: refusedForGood, err: driver.Permanent(err)}
			continue
		}
		s.place(e, s.places.of(e.event))
		c.todo = append(c.todo, e)
	}
	for len(c.todo) > 0 {
		s.round(ctx, c)
	}
	if s.disk != nil {
		s.awaitDisk(ctx, c, begun)
	}
	return nil // end returns them
}

// place decides where e goes: to at, unless that stream is known to be past it.
func (s *store) place(e *entry, at placement) {
	e.at, e.stream = at, s.stream(e.event, at.late)
	if at.late == "" && e.stream.isBehind(at.ns) {
		s.move(e, refusedBehind)
	}
}

// move has e sent to its next place.
func (s *store) move(e *entry, why refused) {
	at := e.at.next(e.event, why)
	s.places.put(e.event.Ref(), at)
	e.settled, e.again, e.verdict = false, false, verdict{}
	s.place(e, at)
}

// round sends as many entries as there is room for, and takes those that have an
// outcome out of c.todo.
func (s *store) round(ctx context.Context, c *call) {
	n, size, err := s.admit(ctx, c)
	if err != nil {
		for _, e := range c.todo {
			e.verdict.err = err
		}
		c.todo = c.todo[:0]
		return
	}
	defer s.room.Release(size)
	s.send(ctx, c, c.todo[:n])
	for _, e := range c.todo[:n] {
		if e.verdict.refused != refusedNot && e.verdict.refused != refusedForGood && e.at.late != lateSent {
			s.move(e, e.verdict.refused)
		}
	}
	c.todo = slices.DeleteFunc(c.todo, func(e *entry) bool { return e.settled })
}

// entryOverhead is what an entry takes in memory beside its bytes, roughly.
const entryOverhead = 512

// admit encodes the entries of c.todo and takes room for them, in their order, and
// returns how many got it and how much. It waits for room for the first only: a call that has
// some sends what it has, so that no two wait for each other.
func (s *store) admit(ctx context.Context, c *call) (n int, taken int64, err error) {
	if ctx.Err() != nil {
		return 0, 0, fmt.Errorf("%s: %w", notSent, context.Cause(ctx))
	}
	for _, e := range c.todo {
		if e.line == nil {
			start := len(c.text)
			c.text = s.lines.append(c.text, e.event)
			e.line = c.text[start:]
		}
		e.size = e.encodedSize()
		size := int64(e.size) + entryOverhead
		if !s.room.TryAcquire(size) {
			if n > 0 {
				break
			}
			if err := s.awaitRoom(ctx, size); err != nil {
				return 0, 0, err
			}
		}
		n++
		taken += size
	}
	return n, taken, nil
}

func (s *store) awaitRoom(ctx context.Context, size int64) error {
	ctx, cancel := s.withPushing(ctx)
	defer cancel()
	if s.room.Acquire(ctx, size) == nil {
		return nil
	}
	class := auditing.ClassFull
	if s.pushing.Err() != nil {
		class = auditing.ClassClosed
	}
	return driver.WithClass(class, fmt.Errorf("%s: %d bytes of events wait already (MaxPendingBytes): %w",
		notSent, s.opts.MaxPendingBytes, context.Cause(ctx)))
}

// send gives entries to their streams and waits until each has a verdict, which is
// that of a writer who gave up when ctx ends first.
func (s *store) send(ctx context.Context, c *call, entries []*entry) {
	slices.SortStableFunc(entries, func(a, b *entry) int { return cmp.Compare(a.stream.number, b.stream.number) })
	c.left.Store(int32(len(entries))) //nolint:gosec // not that many
	c.lent = true
	for rest := entries; len(rest) > 0; {
		q, n := rest[0].stream, 1
		for n < len(rest) && rest[n].stream == q {
			n++
		}
		// The last stream may have this goroutine, for the others are under way.
		if f := q.add(rest[:n], n == len(rest)); f != nil {
			q.lead(ctx, f)
		}
		rest = rest[n:]
	}
	select {
	case <-c.done:
		c.lent = false
	case <-ctx.Done():
		for _, e := range entries {
			e.stream.leave(e, context.Cause(ctx))
		}
	}
}

// awaitDisk waits until what c has stored stays whatever happens to the server's
// process, or sets the outcome of all of it.
func (s *store) awaitDisk(ctx context.Context, c *call, begun time.Time) {
	var stored []*entry
	for i := range c.entries {
		if c.entries[i].verdict.err == nil {
			stored = append(stored, &c.entries[i])
		}
	}
	if len(stored) == 0 {
		return
	}
	answered := time.Now()
	ctx, cancel := s.withPushing(ctx)
	defer cancel()
	err := s.disk.await(ctx, begun, answered)
	for _, e := range stored {
		e.verdict.err = err
	}
}
