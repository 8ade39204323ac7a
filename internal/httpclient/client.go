// Package httpclient sends requests with the credentials that a configuration of
// Prometheus names. It follows no redirect, takes no 101 for an answer, and keeps
// credentials out of errors.
package httpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/internal/secrets"
)

// Options say how a Client sends its requests.
type Options struct {
	// Name of the client in the metrics of Prometheus' connections.
	Name string
	// HTTP is a configuration that Check takes.
	HTTP promconfig.HTTPClientConfig
	// Tenant is what requests have in X-Scope-OrgID. It is no secret.
	Tenant string
	// TokenTimeout bounds the fetching of a token of oauth2.
	TokenTimeout time.Duration
	// Public are ends of paths that errors show, as they hold no secret, such as /v1/logs.
	Public []string
}

// Client sends requests to one server. It is safe for concurrent use.
type Client struct {
	HTTP *http.Client
	// Secrets are what the requests have sent.
	*secrets.Secrets

	public []string // Options.Public
}

// New returns a client of the server at base, whose life ends with ctx.
func New(ctx context.Context, base *url.URL, o Options) (*Client, error) {
	known := &secrets.Secrets{Tenant: o.Tenant}
	Keep(known, base, o.Public)
	keepProxy(known, o.HTTP, base)
	rt, err := newTransport(ctx, o, known)
	if err != nil {
		return nil, err
	}
	h := &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Client{HTTP: h, Secrets: known, public: o.Public}, nil
}

// Named returns the method and the address of req as an error may quote them: see Shown.
func (c *Client) Named(req *http.Request) string { return req.Method + " " + Shown(req.URL, c.public) }

// keepProxy makes the credentials of the proxy known, whose requests cannot be traced.
func keepProxy(known *secrets.Secrets, h promconfig.HTTPClientConfig, base *url.URL) {
	for _, values := range h.ProxyConnectHeader {
		for _, value := range values {
			known.Keep(string(value))
		}
	}
	proxyOf := h.Proxy()
	if proxyOf == nil {
		return
	}
	if proxy, err := proxyOf(&http.Request{URL: base}); err == nil && proxy != nil {
		if password, set := proxy.User.Password(); set {
			known.Keep(password)
			known.Keep(secrets.Basic(proxy.User.Username(), password))
		}
	}
}

// Ask sends a copy of req with a body (nil for none). The caller closes the body of the
// answer, which can be read until ctx ends. The error names the request as Named does, and
// holds no secret.
func (c *Client) Ask(ctx context.Context, req *http.Request, body []byte) (*http.Response, error) {
	req = req.WithContext(c.Tracing(ctx))
	if body != nil {
		req.ContentLength = int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Body, _ = req.GetBody() // never fails
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, fmt.Errorf("%s: no answer: %w", c.Named(req), c.Hidden(err))
	}
	return resp, nil
}
