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
		if a.failed() {
			q.fail(p, entries, a)
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

// fail gives all entries that are still open the outcome of a request that failed for
// now, which may be that of others.
func (q *stream) fail(p *push, entries []*entry, a answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p.again { // and Loki may have stored what it was sent before
		a.known = unclear
	}
	q.settle(p, outcome{err: fmt.Errorf("%s: %w", a.known, a.err)}, entries...)
}

// decide gives the entries of a request the outcomes that the answer proves, and
// returns the others in the parts in which they are to be sent again.
func (q *stream) decide(p *push, entries []*entry, a answer) (again [][]*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch n := len(entries); {
	case a.err == nil:
		q.settle(p, outcome{}, entries...)
	case a.status == http.StatusBadRequest:
		again = q.resolve(p, entries, a)
	case a.status == http.StatusRequestEntityTooLarge && n > 1:
		again = halves(entries)
	default:
		q.settle(p, outcome{err: a.err}, entries...)
	}
	if len(again) > 0 && !p.again {
		p.again = true
		q.resolving++
	}
	return again
}

// resolve finds out what became of the entries of a request that Loki answered with
// 400. It has stored the good entries then, and the text tells of few of the bad
// ones. What the text does not prove is sent again: in halves when it proves
// nothing, since what was stored is recognised, until the offender is alone.
func (q *stream) resolve(p *push, entries []*entry, a answer) (again [][]*entry) {
	r := readRefusal(a.text)
	var rest []*entry
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
	switch {
	case len(rest) == 0:
		return nil
	case len(entries) == 1:
		q.settle(p, outcome{err: a.err}, rest...)
		return nil
	case len(rest) == len(entries):
		return halves(rest)
	}
	return [][]*entry{rest}
}

func halves(entries []*entry) [][]*entry {
	half := len(entries) / 2
	return [][]*entry{entries[:half], entries[half:]}
}

// answer is what came back for a push.
type answer struct {
	status int    // 0 for none
	text   string // Loki's own words
	err    error  // with its class; nil for 204
	known  string // what a failure for now lets an error say of the entries
}

// failed reports that the same push may succeed later.
func (a answer) failed() bool {
	if a.err == nil {
		return false
	}
	class, _ := driver.ClassOf(a.err)
	return class != auditing.ClassPermanent
}

// What an error says is known of an event that was sent and not confirmed.
const (
	notSent   = "not sent"
	notStored = "nothing was stored"
	unclear   = "the outcome is unknown, and writing the event again is harmless"
)

// push sends one compressed request, and reads the answer as Loki means it.
func (c *client) push(ctx context.Context, body []byte) answer {
	status, text, err := c.do(ctx, c.pushing, body)
	if err != nil {
		known := unclear
		if isDial(err) {
			known = notSent
		}
		return answer{err: marked(ctx, err), known: known}
	}
	a := answer{status: status, text: text}
	class := auditing.ClassPermanent
	switch {
	case status == http.StatusNoContent:
		return a
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		class, a.known = auditing.ClassTransient, unclear
	case status >= 200 && status < 300: // such as 260, under which Loki stores nothing
		class, a.known = auditing.ClassTransient, notStored
	}
	a.err = driver.WithClass(class, statusError(c.pushing, status, text))
	return a
}

// isDial reports that no connection was made, so that nothing was sent.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
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

// advice says what to check when the server answers with a status.
var advice = map[int]string{
	http.StatusMovedPermanently:      ": use the URL that it redirects to",
	http.StatusFound:                 ": use the URL that it redirects to",
	http.StatusTemporaryRedirect:     ": use the URL that it redirects to",
	http.StatusPermanentRedirect:     ": use the URL that it redirects to",
	http.StatusUnauthorized:          ": check Options.TenantID and the credentials in Options.HTTP",
	http.StatusForbidden:             ": check Options.TenantID and the credentials in Options.HTTP",
	http.StatusNotFound:              ": check that the URL is Loki's, or the path of a gateway to it, and Options.Server",
	http.StatusMethodNotAllowed:      ": check that the URL is Loki's, or the path of a gateway to it, and Options.Server",
	http.StatusRequestEntityTooLarge: ": raise the limit on the size of a request, in Loki or before it",
}

// statusError says what was asked, what the server said, and what to check.
func statusError(req *http.Request, status int, text string) error {
	check := advice[status]
	if status >= 200 && status < 300 && status != http.StatusNoContent {
		check = ": only 204 says that it was stored: Loki blocks ingestion (block_ingestion_until), or this is no Loki"
	}
	return fmt.Errorf("%s %s refused: %d: %s%s", req.Method, req.URL, status, cmp.Or(text, http.StatusText(status)), check)
}
