package loki

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
)

// send sends one request with entries, and returns the outcome of each. Those that the answer
// does not tell are marked with batcher.Again. It does not try a request again that failed as a
// whole: that is up to the writers of the events.
func (q *stream) send(ctx context.Context, entries []entry) []error {
	a := q.request(ctx, entries)
	if a.known == "" {
		return q.decide(entries, a)
	}
	if entries[0].again { // Loki may have stored what it was sent before
		a.known = unclear
	}
	return driver.All(len(entries), fmt.Errorf("%s: %w", a.known, a.err))
}

// request sends one request with entries, after Loki has proved that it stores what it
// confirms, if a proof is due.
func (q *stream) request(ctx context.Context, entries []entry) answer {
	ctx, cancel := context.WithTimeoutCause(ctx, q.store.opts.Timeout, errSlow)
	defer cancel()
	if a := q.prove(ctx); a.err != nil {
		return a
	}
	body, size := requestBody(q.labels, entries)
	m, start := q.store.metrics, time.Now()
	m.InFlight.Inc()
	a := q.store.client.push(ctx, body)
	m.InFlight.Dec()
	m.Observe(a.status, len(entries), size, time.Since(start))
	return a
}

// decide returns the outcome of each entry of a request that has been answered; nil when all
// are stored.
//
// When Loki answers 400, it has stored the good entries of the request, and the text names
// few of the bad ones. Loki recognises entries that it has stored. So all entries whose
// outcome the text does not prove are sent again. When it proves nothing, they are sent in
// halves, until a bad entry is alone in its request.
func (q *stream) decide(entries []entry, a answer) []error {
	errs := driver.All(len(entries), a.err)
	var r refusal
	switch a.status {
	case http.StatusBadRequest:
		r = readRefusal(a.text)
	case http.StatusRequestEntityTooLarge:
	default:
		return errs
	}
	for i := range entries {
		e := &entries[i]
		why := r.covers(e.at.ns, len(entries))
		if why == refusedNot {
			e.again, errs[i] = true, batcher.Again(a.err)
			continue
		}
		if why == refusedBehind && r.behind > 0 {
			q.cutoff.Store(&cutoff{ns: r.behind, known: time.Now()})
		}
		errs[i] = &timeRefused{why: why, err: a.err}
	}
	return errs
}

// timeRefused is the outcome of an entry that Loki has refused for its time.
type timeRefused struct {
	why refused
	err error
}

func (r *timeRefused) Error() string { return r.err.Error() }
func (r *timeRefused) Unwrap() error { return r.err }

// compareTimes orders entries by time, to the minute: no entry makes another one late then, for
// that takes an hour, and most pushes need no sorting.
func compareTimes(a, b entry) int {
	return cmp.Compare(a.at.ns/int64(time.Minute), b.at.ns/int64(time.Minute))
}
