package httpdriver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/httpclient"
)

// Client sends requests to one server. It is safe for concurrent use.
type Client struct {
	opts   Options
	url    *url.URL
	header http.Header // of each request
	http   *httpclient.Client

	life     context.Context // its end ends all requests
	end      context.CancelCauseFunc
	gate     driver.Gate  // each request is an event to it
	underWay atomic.Int64 // requests

	refusedSince atomic.Pointer[time.Time] // when the sender was first refused; nil when the last answer did not refuse it
}

// New returns a client that posts to address, such as "https://events.example/in". It connects
// to nothing. The address may have a query, and a secret in its path: errors show neither, but
// "https://events.example/…" (see Options.PublicPaths). The error names every option that is wrong.
// Close the client at the end.
func New(address string, o Options) (*Client, error) {
	o.Name = cmp.Or(o.Name, "http")
	invalid := o.complete()
	u, err := httpclient.Address(address, "https://events.example/in")
	if err = errors.Join(err, invalid); err != nil {
		return nil, fmt.Errorf("%s: invalid options: %w", o.Name, err)
	}
	life, end := context.WithCancelCause(context.Background())
	h, err := httpclient.New(life, u, httpclient.Options{
		Name: "paddock-audit-" + o.Name, HTTP: o.HTTP, Tenant: o.TenantID, TokenTimeout: o.Timeout, Public: o.PublicPaths,
	})
	if err != nil {
		end(err)
		return nil, fmt.Errorf("%s: HTTP: %w", o.Name, err)
	}
	if o.Wrap != nil {
		h.HTTP.Transport = o.Wrap(h.HTTP.Transport)
	}
	header := http.Header{"User-Agent": {"paddock-audit"}}
	if o.TenantID != "" {
		header.Set("X-Scope-OrgID", o.TenantID)
	}
	return &Client{opts: o, url: u, header: with(header, o.Header), http: h, life: life, end: end}, nil
}

// with returns header with the names in more, whose values replace those of header.
func with(header, more http.Header) http.Header {
	if len(more) == 0 {
		return header
	}
	header = maps.Clone(header)
	for name, values := range more {
		header[http.CanonicalHeaderKey(name)] = values
	}
	return header
}

// Post sends one request with body to the address of the client. Its headers are those of Options
// and those of header, which come first and may be nil. Post does not try again: that is up to
// a retry or a spool in front of the sink. body must never change, because the transport may
// still read it when Post has returned.
func (c *Client) Post(ctx context.Context, body []byte, header http.Header) Answer {
	if err := checkHeader(header); err != nil {
		a := Answer{Verdict: Refused, Cause: driver.Permanent(fmt.Errorf("not sent: %w", err))}
		a.Err = a.Cause
		return a
	}
	req := &http.Request{Method: http.MethodPost, URL: c.url, Header: with(c.header, header)}
	a := c.send(ctx, req, body, c.opts.MaxBody)
	if a.Cause == nil {
		c.judge(&a)
	}
	a.Err = a.Cause
	if a.Verdict.failed() {
		a.Err = fmt.Errorf("%s: %w", a.Verdict, a.Cause)
	}
	return a
}

// Get asks for another page of the server, for a Check. page is an address, or a reference
// relative to the address of the client, such as "/ready". Get stores nothing, so neither
// Options.Judge nor RefusalGrace apply, and only Status, Header, Body and Err of the answer are
// set. Err is nil for a 200 whose body has at most limit bytes; 0 for any body, of which only
// the beginning is read.
func (c *Client) Get(ctx context.Context, page string, limit int) Answer {
	u, err := c.url.Parse(page)
	if err != nil || u.User != nil || u.Host != c.url.Host || u.Scheme != c.url.Scheme {
		err := errors.New("the page is not on the server of the client, which has the credentials")
		return Answer{Err: driver.Permanent(err)}
	}
	req := &http.Request{Method: http.MethodGet, URL: u, Header: c.header}
	a := c.send(ctx, req, nil, limit)
	if a.Cause == nil && a.Status != http.StatusOK {
		if a.Status/100 != 2 { // what a 2xx says of events is not for pages
			_, a.Advice = usual(a.Status)
		}
		a.Cause = c.refusal(req, &a)
	}
	return Answer{Status: a.Status, Header: a.Header, Body: a.Body, Err: a.Cause}
}

// Shown returns a text of the server as an error may quote it: without the secrets that were
// sent to it, cut at 8 KiB, and with control characters escaped.
func (c *Client) Shown(text string) string { return c.http.Shown(text) }

// Close refuses later requests, and waits for those under way until ctx ends. Then it ends
// the others, whose errors are of auditing.ClassClosed, and its error says how many they
// are. Closing twice is harmless.
func (c *Client) Close(ctx context.Context) error {
	err := c.gate.Close(ctx)
	if err != nil {
		err = fmt.Errorf("%d requests were ended without an answer, so the outcome of their events is unknown: %w", c.underWay.Load(), ctx.Err())
	}
	c.end(errClosed)
	_ = c.gate.Close(context.Background()) // soon: all that is under way ends with life
	c.http.HTTP.CloseIdleConnections()
	return err
}

var (
	errClosed = errors.New("the sink was closed before the server answered")
	errSlow   = errors.New("Options.Timeout is over")
)

// bounded returns a context that ends with ctx, after the timeout, and with the client.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.life, func() { end(errClosed) })
	ctx, cancel := context.WithTimeoutCause(ctx, c.opts.Timeout, errSlow)
	return ctx, func() {
		stop()
		cancel()
		end(nil)
	}
}

// classed returns the error of a request under a bounded context that has no answer, or not
// all of it, as tried says. It has no class when the context of the caller has ended, because
// the error of that context tells it.
func classed(ctx context.Context, tried string, err error) error {
	cause := context.Cause(ctx)
	if cause != nil {
		err = cause // what the transport makes of it says no more
	}
	err = fmt.Errorf("%s: %w", tried, err)
	switch {
	case errors.Is(cause, errClosed):
		return driver.WithClass(auditing.ClassClosed, err)
	case cause == nil, errors.Is(cause, errSlow):
		return driver.WithClass(auditing.ClassTransient, err)
	}
	return err
}
