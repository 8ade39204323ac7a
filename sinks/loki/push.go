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
	m.inFlight.Inc()
	a := q.store.client.push(ctx, body)
	m.inFlight.Dec()
	m.observe(a, len(entries), size, time.Since(start))
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
