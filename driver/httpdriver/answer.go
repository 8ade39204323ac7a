package httpdriver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/httpclient"
	"github.com/paddock-dev/audit/internal/secrets"
)

// Verdict says what is known of the events of a request.
type Verdict string

const (
	// Stored: the server has confirmed the events.
	Stored Verdict = "stored"
	// Refused: the server refuses the events, and would refuse them again.
	Refused Verdict = "refused"
	// RefusedSender: the server refuses whoever sends, or is not at this address. Only Judge
	// sees it: an Answer of Post has NotStored or Refused instead, as Options.RefusalGrace says.
	RefusedSender Verdict = "the sender is refused"
	// NotSent: there was no connection to the server.
	NotSent Verdict = "not sent"
	// NotStored: the server has stored nothing, and may store the events another time.
	NotStored Verdict = "nothing was stored"
	// Unclear: the server may have stored the events or not.
	Unclear Verdict = "the outcome is unknown, and writing the event again is harmless"
)

// failed reports that the request failed as a whole, so that it may succeed another time.
func (v Verdict) failed() bool { return v != Stored && v != Refused }

// Answer is what came of a request.
type Answer struct {
	// Status of the answer, and its Header; 0 and nil when there was none.
	Status int
	Header http.Header
	// Body is the beginning of the answer: up to Options.MaxBody bytes of a 2xx, and up to
	// 8 KiB otherwise. It may hold secrets: Client.Shown returns a text of it as an error may
	// quote it.
	Body []byte

	// Verdict says what is known of the events of the request.
	Verdict Verdict
	// Advice says what to check or do, after a colon in the error, which shows it as
	// Client.Shown does. May be empty.
	Advice string

	// Err is nil when the events are stored. Otherwise it is what Store may return for each
	// of them: with its class, the request, the answer, and what is known of the event.
	Err error
	// Cause is Err without what is known of the event, for a sink that knows more.
	Cause error
}

// usual returns the verdict of a status and advice where a destination does not know better.
func usual(status int) (Verdict, string) {
	switch status {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return Stored, ""
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return Refused, ""
	case http.StatusRequestEntityTooLarge:
		return Refused, "raise the limit on the size of a request, in the server or before it"
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return Unclear, ""
	case http.StatusUnauthorized, http.StatusForbidden:
		return RefusedSender, "check the credentials in Options.HTTP"
	case http.StatusProxyAuthRequired:
		return RefusedSender, "check the credentials of the proxy in Options.HTTP"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return RefusedSender, "check the URL"
	}
	switch status / 100 {
	case 2:
		return Unclear, "only 200, 201 and 204 say that the events are stored"
	case 3:
		return RefusedSender, "use the URL that it redirects to"
	case 4:
		return RefusedSender, ""
	}
	return Unclear, ""
}

// send sends req with body. When there is no answer, or less of it than the sink has to read,
// Verdict and Cause are set. limit is as Options.MaxBody is.
func (c *Client) send(ctx context.Context, req *http.Request, body []byte, limit int) Answer {
	if err := c.gate.Enter(1); err != nil {
		return Answer{Verdict: NotSent, Cause: err}
	}
	defer c.gate.Leave(1)
	c.underWay.Add(1)
	defer c.underWay.Add(-1)
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	var connected atomic.Bool
	connected.Store(c.opts.Wrap != nil) // which may not tell of connections
	resp, err := c.http.Ask(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}), req, body)
	if err != nil {
		a := Answer{Verdict: Unclear, Cause: classed(ctx, c.http.Named(req)+": no answer", errors.Unwrap(err))}
		var op *net.OpError
		if !connected.Load() || errors.As(err, &op) && op.Op == "dial" { // after another connection on which nothing was sent
			a.Verdict = NotSent
		}
		return a
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode, Header: resp.Header}
	whole := limit > 0 && a.Status/100 == 2
	if !whole {
		limit = secrets.MaxText
	}
	a.Body, err = c.http.Read(resp, limit)
	if err != nil && whole {
		a.Verdict = Unclear
		a.Cause = classed(ctx, fmt.Sprintf("%s: %d, and the answer cannot be read", c.http.Named(req), a.Status), c.http.Hidden(err))
	}
	return a
}

// judge sets the verdict of an answer, and its cause unless the events are stored.
func (c *Client) judge(a *Answer) {
	a.Verdict, a.Advice = usual(a.Status)
	if c.opts.Judge != nil {
		c.opts.Judge(a)
	}
	until := c.grace(a)
	if a.Verdict == Stored {
		return
	}
	a.Cause = c.refusal(&http.Request{Method: http.MethodPost, URL: c.url}, a)
	if until != "" {
		a.Cause = fmt.Errorf("%w%s", a.Cause, until)
	}
	pause := httpclient.RetryAfter(a.Header.Get("Retry-After"), time.Now())
	switch {
	case a.Verdict == Refused:
		a.Cause = driver.Permanent(a.Cause)
	case pause > 0:
		a.Cause = driver.RetryAfter(fmt.Errorf("%w; the server asks to wait for %s", a.Cause, pause.Round(time.Second)), pause)
	default:
		a.Cause = driver.WithClass(auditing.ClassTransient, a.Cause)
	}
}

// grace replaces the verdict RefusedSender by NotStored or Refused, as Options.RefusalGrace says. It
// returns a text with the end of the grace, if the verdict will change then.
func (c *Client) grace(a *Answer) (until string) {
	switch a.Verdict {
	case Stored, Refused: // either way, the server has let the sender in
		c.refusedSince.Store(nil)
	case RefusedSender:
		now := time.Now()
		c.refusedSince.CompareAndSwap(nil, &now)
		over := cmp.Or(c.refusedSince.Load(), &now).Add(c.opts.RefusalGrace) // nil after a request that has just succeeded
		if !now.Before(over) {
			a.Verdict = Refused
			return ""
		}
		a.Verdict = NotStored
		return fmt.Sprintf("; transient until %s (Options.RefusalGrace)", over.UTC().Format(time.RFC3339))
	}
	return ""
}

// refusal returns an error with the request, the answer and the advice.
func (c *Client) refusal(req *http.Request, a *Answer) error {
	said, text, advice := "refused", string(a.Body), a.Advice
	if a.Status/100 == 2 {
		said = "answered"
	}
	if advice != "" {
		advice = ": " + c.http.Shown(advice) // which Judge may have made of the body
	}
	text = cmp.Or(c.http.Shown(strings.TrimSpace(text)), http.StatusText(a.Status))
	return fmt.Errorf("%s %s: %d: %s%s", c.http.Named(req), said, a.Status, text, advice)
}
