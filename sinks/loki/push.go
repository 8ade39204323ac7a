package loki

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// send sends p until each of its entries has an outcome. Entries whose outcome an answer
// does not tell are sent again in parts. send returns false when a request failed as a
// whole. It does not try that request again: that is up to the writers of the events.
func (q *stream) send(ctx context.Context, p *push, entries []*entry) bool {
	defer q.end(p)
	for parts := [][]*entry{entries}; len(parts) > 0; {
		part := parts[0]
		a := q.request(ctx, part)
		if a.known != "" {
			if p.again { // Loki may have stored what it was sent before
				a.known = unclear
			}
			q.mu.Lock()
			q.settle(p, outcome{err: fmt.Errorf("%s: %w", a.known, a.err)}, entries...)
			q.mu.Unlock()
			return false
		}
		parts = append(q.decide(p, part, a), parts[1:]...)
	}
	return true
}

// request sends one request with entries, after Loki has proved that it stores what it
// confirms, if a proof is due.
func (q *stream) request(ctx context.Context, entries []*entry) answer {
	ctx, cancel := context.WithTimeoutCause(ctx, q.store.opts.Timeout, errSlow)
	defer cancel()
	if ctx.Err() != nil {
		return answer{err: marked(ctx, context.Cause(ctx)), known: notSent}
	}
	if a := q.prove(ctx); a.err != nil {
		return a
	}
	body, size := requestBody(q.labels, entries)
	m, start := q.store.metrics, time.Now()
	m.inFlight.Inc()
	a := q.store.client.push(ctx, body)
	m.inFlight.Dec()
	m.observe(a, len(entries), size, time.Since(start))
	return a
}

// end tells the writers of p that all its entries have an outcome.
func (q *stream) end(p *push) {
	q.mu.Lock()
	if p.again {
		q.resolving--
	}
	q.mu.Unlock()
	p.cancel()
	close(p.done) // without the mutex, which the writers that wake up lock
}

// decide settles the entries of a request whose outcome the answer proves. It returns the
// others in the parts in which they have to be sent again.
//
// When Loki answers 400, it has stored the good entries of the request, and the text names
// few of the bad ones. Loki recognises entries that it has stored. So all entries whose
// outcome the text does not prove are sent again. When it proves nothing, they are sent in
// halves, until a bad entry is alone in its request.
func (q *stream) decide(p *push, entries []*entry, a answer) [][]*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	var rest []*entry
	switch a.status {
	case http.StatusBadRequest:
		rest = q.settleProved(p, entries, a)
	case http.StatusRequestEntityTooLarge:
		rest = entries
	}
	if len(rest) == 0 || len(entries) == 1 {
		q.settle(p, outcome{err: a.err}, entries...)
		return nil
	}
	if !p.again {
		p.again = true
		q.resolving++
	}
	if len(rest) < len(entries) {
		return [][]*entry{rest}
	}
	half := len(rest) / 2
	return [][]*entry{rest[:half], rest[half:]}
}

// settleProved settles the entries that were refused for their time, as far as the text of
// a 400 proves it, and returns the others. The caller holds the mutex.
func (q *stream) settleProved(p *push, entries []*entry, a answer) (rest []*entry) {
	r := readRefusal(a.text)
	for _, e := range entries {
		why := r.covers(e.at.ns, len(entries))
		if why == refusedNot {
			rest = append(rest, e)
			continue
		}
		if why == refusedBehind && r.behind > 0 {
			q.cutoff, q.cutoffKnown = r.behind, time.Now()
		}
		q.settle(p, outcome{refused: why, err: a.err}, e)
	}
	return rest
}
