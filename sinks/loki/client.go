package loki

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/httpdriver"
)

// client sends requests to one server over HTTP.
type client struct {
	*httpdriver.Client
	timeout time.Duration // of a request and its answer

	ready   string // the address of a page of Loki
	metrics string // of VictoriaLogs
}

func newClient(base *url.URL, o Options) (*client, error) {
	h, err := httpdriver.New(o.Server.push(base).String(), httpdriver.Options{
		Name: "loki", HTTP: o.HTTP, TenantID: o.TenantID, Timeout: o.Timeout, RefusalGrace: o.RefusalGrace, Judge: judge, PublicPaths: publicPaths,
	})
	return &client{
		Client: h, timeout: o.Timeout,
		ready: base.JoinPath(readyPath).String(), metrics: base.JoinPath(metricsPath).String(),
	}, err
}

// judge says how the answers to pushes differ from those to other requests.
func judge(a *httpdriver.Answer) {
	switch {
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		a.Advice = "check Options.TenantID and the credentials in Options.HTTP"
	case a.Status == http.StatusNotFound, a.Status == http.StatusMethodNotAllowed:
		a.Advice = "check that the URL is Loki's, or the path of a gateway to it, and Options.Server"
	case a.Status/100 == 2 && a.Status != http.StatusNoContent: // such as 260, under which Loki stores nothing
		a.Verdict = httpdriver.NotStored
		a.Advice = "only 204 says that it was stored: Loki blocks ingestion (block_ingestion_until), or this is no Loki"
	}
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
	notSent = string(httpdriver.NotSent)
	unclear = string(httpdriver.Unclear)
)

var pushHeader = http.Header{"Content-Type": {"application/x-protobuf"}, "Content-Encoding": {"snappy"}}

// push sends one compressed request.
func (c *client) push(ctx context.Context, body []byte) answer {
	got := c.Post(ctx, body, pushHeader)
	a := answer{status: got.Status, text: string(got.Body), err: got.Cause}
	if got.Verdict != httpdriver.Stored && got.Verdict != httpdriver.Refused {
		a.known = string(got.Verdict)
	}
	if ctx.Err() != nil && got.Status == 0 {
		a.err = marked(ctx, a.err)
	}
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
