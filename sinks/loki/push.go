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

// answer is the answer to a push.
type answer struct {
	status int    // 0 for none
	text   string // of the server; it may hold secrets
	err    error  // with its class; nil for 204
	known  string // of the entries, when the request failed as a whole; "" when it is answered
}

// What is known of an entry whose request failed.
const (
	notSent   = "not sent"
	notStored = "nothing was stored"
	unclear   = "the outcome is unknown, and writing the event again is harmless"
)

// push sends one compressed request, and interprets the answer.
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

// errSlow is the cause when Options.Timeout ends a request.
var errSlow = errors.New("Options.Timeout is over")

// marked returns the error of a request under ctx that has no answer. The error is of
// ClassClosed when Close has ended the request. It has no class when the writers have, as
// their own contexts tell it. Otherwise it is transient.
func marked(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == nil, errors.Is(cause, errSlow):
		return driver.WithClass(auditing.ClassTransient, err)
	case errors.Is(cause, errClosing):
		return driver.WithClass(auditing.ClassClosed, errClosing)
	}
	return err
}

// advice returns what the user should check when the server answers with this status.
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

// statusError returns an error with the request, the answer and advice.
func (c *client) statusError(req *http.Request, status int, text string) error {
	return fmt.Errorf("%s %s refused: %d: %s%s", req.Method, req.URL, status, cmp.Or(c.Shown(text), http.StatusText(status)), advice(status))
}
