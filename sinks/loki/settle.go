package loki

import (
	"fmt"
	"slices"
	"time"

	"github.com/paddock-dev/audit/driver"
)

// What an error says is known of an event.
const (
	notSent = "not sent"
	unclear = "the outcome is unknown, and writing the event again is harmless"
)

// settle gives every entry of a push its verdict, or has it sent again, and tells
// the calls that have all their verdicts.
func (q *stream) settle(f *flight, a answer) {
	q.decide(f, a)
	for _, c := range f.ended { // without the mutex, for the writers who wake come back for it
		c.done <- struct{}{} // it has room for this one
	}
	clear(f.entries) // for the collector
	clear(f.ended)
	f.entries, f.ended = f.entries[:0], f.ended[:0]
}

func (q *stream) decide(f *flight, a answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch a.kind {
	case answerStored:
		f.settle(verdict{}, f.entries...)
	case answerPartial:
		q.resolve(f, a)
	case answerTooLarge:
		if len(f.entries) > 1 {
			q.halve(f.entries)
			break
		}
		f.settle(verdict{refused: refusedForGood, err: driver.Permanent(a.err)}, f.entries...)
	case answerRefused:
		f.settle(verdict{refused: refusedForGood, err: driver.Permanent(a.err)}, f.entries...)
	case answerBlocked:
		f.settle(verdict{refused: refusedForGood, err: a.err}, f.entries...)
	case answerFailed:
		q.fail(f, a)
	}
}

// settle is the last that is decided on entries. The caller holds the mutex of their
// stream.
func (f *flight) settle(v verdict, entries ...*entry) {
	for _, e := range entries {
		e.flight = nil
		if e.gone {
			continue
		}
		e.settled, e.verdict = true, v
		if e.call.left.Add(-1) == 0 {
			f.ended = append(f.ended, e.call)
		}
	}
}

// fail ends a push that may succeed later: that is for who wrote the events to try.
// When it was to resolve a 400, it ends what is left of that as well.
func (q *stream) fail(f *flight, a answer) {
	known := notSent
	if a.sent || f.again {
		known = unclear
	}
	v := verdict{refused: refusedForGood, err: fmt.Errorf("%s: %w", known, a.err)}
	f.settle(v, f.entries...)
	if !f.again {
		return
	}
	for _, group := range q.groups {
		group = slices.DeleteFunc(group, (*entry).isGone)
		q.live -= len(group)
		f.settle(v, group...)
	}
	q.groups = nil
}

// resolve finds out what became of each entry of a push that Loki answered with
// 400. It has stored the good entries then, and the text tells of few of the bad
// ones. What the text does not prove is sent again: in halves when it proves
// nothing, since what was stored is recognised, until the offender is alone.
func (q *stream) resolve(f *flight, a answer) {
	r := readRefusal(a.text)
	n := len(f.entries)
	rest := make([]*entry, 0, n)
	for _, e := range f.entries {
		why, proved := r.covers(e.at.ns, n)
		if !proved {
			rest = append(rest, e)
			continue
		}
		if why == refusedBehind && r.behind > 0 {
			q.cutoff.Store(r.behind)
			q.cutoffKnown = time.Now()
		}
		f.settle(verdict{refused: why, err: driver.Permanent(a.err)}, e)
	}
	switch {
	case len(rest) == 0:
	case n == 1:
		f.settle(verdict{refused: refusedForGood, err: driver.Permanent(a.err)}, rest...)
	case len(rest) == n:
		q.halve(rest)
	default:
		q.sendAgain(rest)
	}
}

// halve has entries sent again in two halves.
func (q *stream) halve(entries []*entry) {
	half := len(entries) / 2
	q.sendAgain(entries[half:])
	q.sendAgain(entries[:half])
}

// sendAgain makes entries whose outcome is open the next group.
func (q *stream) sendAgain(entries []*entry) {
	group := make([]*entry, 0, len(entries))
	for _, e := range entries {
		e.flight, e.again = nil, true
		if !e.gone {
			group = append(group, e)
		}
	}
	q.live += len(group)
	q.groups = slices.Insert(q.groups, 0, group)
}
