package loki

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/paddock-dev/audit/internal/httpclient"
)

const clientName = "paddock-audit-loki" // in the metrics of Prometheus' connections

// client sends requests to one server over HTTP. do and Ask send copies of its requests.
type client struct {
	*httpclient.Client
	timeout time.Duration // of a request and its answer

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
	h, err := httpclient.New(ctx, base, httpclient.Options{Name: clientName, HTTP: o.HTTP, Tenant: o.TenantID, TokenTimeout: o.Timeout})
	if err != nil {
		return nil, err
	}
	header := http.Header{"User-Agent": {"paddock-audit"}}
	if o.TenantID != "" {
		header.Set("X-Scope-OrgID", o.TenantID)
	}
	c := &client{
		Client: h, timeout: o.Timeout, grace: o.RefusalGrace,
		pushing: &http.Request{Method: http.MethodPost, URL: o.Server.push(base), Header: header.Clone()},
		ready:   &http.Request{Method: http.MethodGet, URL: base.JoinPath("/ready"), Header: header},
		metrics: &http.Request{Method: http.MethodGet, URL: base.JoinPath("/metrics"), Header: header},
	}
	c.pushing.Header.Set("Content-Type", "application/x-protobuf")
	c.pushing.Header.Set("Content-Encoding", "snappy")
	return c, nil
}

// do sends a copy of req with a body (nil for none), and returns the status and the text
// of the answer. The error, when there is no answer, holds no secret. The text may hold
// secrets: shown returns it as an error may quote it.
func (c *client) do(ctx context.Context, req *http.Request, body []byte) (status int, text string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errSlow)
	defer cancel()
	resp, err := c.Ask(ctx, req, body)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return resp.StatusCode, "", nil
	}
	return resp.StatusCode, c.Text(resp), nil
}
