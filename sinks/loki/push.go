package loki

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// send sends p until each of its entries has an outcome. Those that an answer leaves
// open are sent again in parts. It returns false when a request failed for now: to
// try again then is for whoever wrote the events.
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

// request sends one request of entries, if Loki has proved by then that it stores
// what it confirms.
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

// end tells the writers of p that it is over.
func (q *stream) end(p *push) {
	q.mu.Lock()
	if p.again {
		q.resolving--
	}
	q.mu.Unlock()
	p.cancel()
	close(p.done) // without the mutex, for the writers who wake come back for it
}

// decide gives the entries of a request the outcomes that the answer proves, and
// returns the others in the parts in which they are to be sent again.
//
// Of a request that it answers with 400, Loki has stored the good entries, and the text
// tells of few of the bad ones. Since what was stored is recognised, what the text does
// not prove is sent again: in halves when it proves nothing, until the offender is alone.
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

// settleProved settles those entries of a 400 that its text proves refused for their
// time, and returns the others. The caller holds the mutex.
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

// answer is what came back for a push.
type answer struct {
	status int    // 0 for none
	text   string // Loki's own words, to read and not to show
	err    error  // with its class; nil for 204
	known  string // of the entries, when the request failed as a whole; "" when it is answered
}

// What is known of an entry whose request failed.
const (
	notSent   = "not sent"
	notStored = "nothing was stored"
	unclear   = "the outcome is unknown, and writing the event again is harmless"
)

// push sends one compressed request, and reads the answer as Loki means it.
func (c *client) push(ctx context.Context, body []byte) answer {
	status, text, err := c.do(ctx, c.pushing, body)
	if err != nil {
		a := answer{err: marked(ctx, err), known: unclear}
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" { // there was no connection
			a.known = notSent
		}
		return a
	}
	a := answer{status: status, text: text}
	var until string
	switch {
	case status == http.StatusNoContent:
		c.refusedSince.Store(nil)
		return a
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		a.known = unclear
	case status >= 200 && status < 300: // such as 260, under which Loki stores nothing
		a.known = notStored
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		c.refusedSince.Store(nil) // these refuse the events, so the server has let the sender in
	default: // these refuse the sender, such as 401, or say that the server is elsewhere, such as 404
		now := time.Now()
		c.refusedSince.CompareAndSwap(nil, &now)
		over := cmp.Or(c.refusedSince.Load(), &now).Add(c.grace) // nil after a push that has just succeeded
		if now.Before(over) {
			a.known = notStored
			until = fmt.Sprintf("; transient until %s (Options.RefusalGrace)", over.UTC().Format(time.RFC3339))
		}
	}
	class := auditing.ClassPermanent
	if a.known != "" {
		class = auditing.ClassTransient
	}
	a.err = driver.WithClass(class, fmt.Errorf("%w%s", c.statusError(c.pushing, status, text), until))
	return a
}

// errSlow ends a request.
var errSlow = errors.New("Options.Timeout is over")

// marked marks the error of a request under ctx that has no answer with what ended
// it: Close, the end of those who wait for it, which needs no mark, or else.
func marked(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == nil, errors.Is(cause, errSlow):
		return driver.WithClass(auditing.ClassTransient, err)
	case errors.Is(cause, errClosing):
		return driver.WithClass(auditing.ClassClosed, errClosing)
	}
	return err
}

// advice returns what to check when the server answers with a status.
func advice(status int) string {
	switch status {
	case http.StatusProxyAuthRequired:
		return ": check the credentials of the proxy in Options.HTTP"
	case http.StatusUnauthorized, http.StatusForbidden:
		return ": check Options.TenantID and the credentials in Options.HTTP"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return ": check that the URL is Loki's, or the path of a gateway to it, and Options.Server"
	case http.StatusRequestEntityTooLarge:
		return ": raise the limit on the size of a request, in Loki or before it"
	}
	switch status / 100 {
	case 2:
		return ": only 204 says that it was stored: Loki blocks ingestion (block_ingestion_until), or this is no Loki"
	case 3:
		return ": use the URL that it redirects to"
	}
	return ""
}

// statusError says what was asked, what the server said, and what to check.
func (c *client) statusError(req *http.Request, status int, text string) error {
	return fmt.Errorf("%s %s refused: %d: %s%s", req.Method, req.URL, status, cmp.Or(c.shown(text), http.StatusText(status)), advice(status))
}
