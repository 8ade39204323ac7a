package loki

import (
	"net/http"
	"time"

	"github.com/paddock-dev/audit/auditing"
)

// settle gives every entry of a push its verdict, or puts it back.
func (q *stream) settle(f *flight, a answer) {
	q.decide(f, a)
	// Without the mutex, for the writers who wake come back for it. An entry that
	// was put back cannot be settled before the next push, which is after this.
	for _, e := range f.entries {
		if e.settled {
			e.done <- e.verdict // it has room for this one
		}
	}
}

func (q *stream) decide(f *flight, a answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if (a.kind == answerStored || a.kind == answerPartial) && q.failures == f.failures {
		q.failures, q.notBefore = 0, time.Time{}
	}
	switch a.kind {
	case answerStored:
		q.most = min(2*q.most, unlimited)
		for _, e := range f.entries {
			e.settle(verdict{})
		}
	case answerPartial:
		q.resolve(f, a)
	case answerTooLarge:
		if len(f.entries) == 1 {
			f.entries[0].settle(verdict{refused: refusedForGood, err: auditing.Permanent(a.err)})
			break
		}
		q.regroup(f.entries, a)
	case answerRefused:
		for _, e := range f.entries {
			e.settle(verdict{refused: refusedForGood, err: auditing.Permanent(a.err)})
		}
	case answerBlocked:
		for _, e := range f.entries {
			e.settle(verdict{refused: refusedForGood, err: a.err})
		}
	case answerRetry:
		q.requeue(f, a)
	}
}

// settle is the last that is decided on an entry.
func (e *entry) settle(v verdict) {
	e.flight = nil
	e.settled = true
	e.verdict = v
}

// requeue puts entries behind the others, so that one that Loki never takes
// does not hold them up.
func (q *stream) requeue(f *flight, a answer) {
	// After a 429 Loki may have stored some of the entries, and after a 5xx or
	// no answer any of them.
	if n := len(f.entries); n > 1 && (a.status == http.StatusTooManyRequests || a.status >= http.StatusInternalServerError) {
		q.most = max(n/2, 1)
	}
	q.backoff()
	for _, e := range f.entries {
		if q.returned(e, a) {
			q.queue = append(q.queue, e)
		}
	}
	q.signal()
}

// returned takes an entry out of its push, and reports whether anybody still
// waits for it.
func (q *stream) returned(e *entry, a answer) bool {
	e.flight = nil
	e.last = a.err
	if a.sent {
		e.tried = attemptUnclear
	}
	if gone(e) {
		return false
	}
	q.live++
	return true
}

// resolve finds out what became of each entry of a push that Loki answered with
// 400. It has stored the good entries then, and the text tells of few of the bad
// ones. What the text does not prove is sent again: in halves when it proves
// nothing, since what was stored is recognised, until the offender is alone.
func (q *stream) resolve(f *flight, a answer) {
	r := readRefusal(a.text)
	n := len(f.entries)
	rest := f.entries[:0:0]
	for _, e := range f.entries {
		why, proved := r.covers(e.ns, n)
		if !proved {
			rest = append(rest, e)
			continue
		}
		if why == refusedBehind && r.behind > 0 {
			q.cutoff.Store(r.behind)
			q.cutoffKnown = time.Now()
		}
		e.settle(verdict{refused: why, err: auditing.Permanent(a.err)})
	}
	switch {
	case len(rest) == 0:
	case n == 1:
		rest[0].settle(verdict{refused: refusedForGood, err: auditing.Permanent(a.err)})
	case len(rest) == n:
		q.regroup(rest, a)
	default:
		q.groups = append([][]*entry{q.kept(rest, a)}, q.groups...)
		q.signal()
	}
}

// regroup has entries sent again in two halves.
func (q *stream) regroup(entries []*entry, a answer) {
	half := len(entries) / 2
	first, second := q.kept(entries[:half:half], a), q.kept(entries[half:], a)
	q.groups = append([][]*entry{first, second}, q.groups...)
	q.signal()
}

func (q *stream) kept(entries []*entry, a answer) []*entry {
	kept := make([]*entry, 0, len(entries))
	for _, e := range entries {
		if q.returned(e, a) {
			kept = append(kept, e)
		}
	}
	return kept
}
