package loki

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/paddock-dev/audit/internal/texts"
)

// client sends requests to one server over HTTP. do and ask send copies of its requests.
type client struct {
	http    *http.Client
	timeout time.Duration // of a request and its answer
	secrets *secrets

	// grace is the time for which a refusal of the sender is transient: a password that
	// is being exchanged, or a gateway that starts, must not turn every event of a spool
	// into a dead letter.
	grace        time.Duration
	refusedSince atomic.Pointer[time.Time] // when the sender was first refused; nil when the last answer did not refuse it

	pushing *http.Request
	ready   *http.Request // of Loki
	metrics *http.Request // of VictoriaLogs
}

// newClient returns a client for a sink whose life ends with ctx.
func newClient(ctx context.Context, base *url.URL, o Options) (*client, error) {
	known := newSecrets(o, base)
	rt, err := newTransport(ctx, o, known)
	if err != nil {
		return nil, err
	}
	h := &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	header := http.Header{"User-Agent": {"paddock-audit"}}
	if o.TenantID != "" {
		header.Set("X-Scope-OrgID", o.TenantID)
	}
	c := &client{
		http: h, timeout: o.Timeout, secrets: known, grace: o.RefusalGrace,
		pushing: &http.Request{Method: http.MethodPost, URL: o.Server.push(base), Header: header.Clone()},
		ready:   &http.Request{Method: http.MethodGet, URL: base.JoinPath("/ready"), Header: header},
		metrics: &http.Request{Method: http.MethodGet, URL: base.JoinPath("/metrics"), Header: header},
	}
	c.pushing.Header.Set("Content-Type", "application/x-protobuf")
	c.pushing.Header.Set("Content-Encoding", "snappy")
	return c, nil
}

// maxText is how much of an answer is read, in bytes. Ten refused entries take 2 KiB.
const maxText = 8 << 10

// do sends a copy of req with a body (nil for none), and returns the status and the text
// of the answer. The error, when there is no answer, holds no secret. The text may hold
// secrets: shown returns it as an error may quote it.
func (c *client) do(ctx context.Context, req *http.Request, body []byte) (status int, text string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errSlow)
	defer cancel()
	resp, err := c.ask(ctx, req, body)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return resp.StatusCode, "", nil
	}
	return resp.StatusCode, c.text(resp), nil
}

// text returns the beginning of the body of an answer.
func (c *client) text(resp *http.Response) string {
	head, _ := io.ReadAll(io.LimitReader(resp.Body, maxText)) // when the connection breaks, the beginning is enough
	text := string(head)
	if len(head) == maxText {
		text = c.secrets.uncut(text)
	}
	return strings.TrimSpace(text)
}

// shown returns a text of the server as an error may quote it: without secrets, cut at
// maxText, and with control characters escaped.
func (c *client) shown(text string) string {
	text = c.secrets.hide(text)
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return texts.Visible(strings.ToValidUTF8(text, "?"))
}

// hidden returns an error that wraps err, with the text that shown returns.
func (c *client) hidden(err error) error { return &shownError{text: c.shown(err.Error()), err: err} }

// ask sends a copy of req with a body (nil for none). The caller closes the body of the
// answer, which can be read until ctx ends. The error holds no secret.
func (c *client) ask(ctx context.Context, req *http.Request, body []byte) (*http.Response, error) {
	req = req.WithContext(c.secrets.tracing(ctx))
	if body != nil {
		req.ContentLength = int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Body, _ = req.GetBody() // never fails
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, fmt.Errorf("%s %s: no answer: %w", req.Method, req.URL, c.hidden(err))
	}
	return resp, nil
}

// shownError wraps an error and has another text.
type shownError struct {
	text string
	err  error
}

func (e *shownError) Error() string { return e.text }
func (e *shownError) Unwrap() error { return e.err }
