package loki

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
)

// client speaks to one server over HTTP. Of its requests, do and ask send copies.
type client struct {
	http    *http.Client
	timeout time.Duration // of a request with its answer
	secrets *strings.Replacer

	pushing *http.Request
	ready   *http.Request // of Loki
	metrics *http.Request // of VictoriaLogs
}

// newClient returns a client for a sink whose life ends with ctx.
func newClient(ctx context.Context, base *url.URL, o Options) (*client, error) {
	rt, err := newTransport(ctx, o)
	if err != nil {
		return nil, err
	}
	h := &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	header := http.Header{"User-Agent": {"paddock-audit"}}
	if o.TenantID != "" {
		header.Set("X-Scope-OrgID", o.TenantID)
	}
	c := &client{
		http: h, timeout: o.Timeout, secrets: newRedactor(o.HTTP),
		pushing: &http.Request{Method: http.MethodPost, URL: o.Server.push(base), Header: header.Clone()},
		ready:   &http.Request{Method: http.MethodGet, URL: base.JoinPath("/ready"), Header: header},
		metrics: &http.Request{Method: http.MethodGet, URL: base.JoinPath("/metrics"), Header: header},
	}
	c.pushing.Header.Set("Content-Type", "application/x-protobuf")
	c.pushing.Header.Set("Content-Encoding", "snappy")
	return c, nil
}

// newRedactor replaces the secrets of the configuration in texts that come from
// outside. Those in files are not known here.
func newRedactor(h promconfig.HTTPClientConfig) *strings.Replacer {
	secrets := []promconfig.Secret{h.BearerToken}
	if h.BasicAuth != nil {
		pair := base64.StdEncoding.EncodeToString([]byte(h.BasicAuth.Username + ":" + string(h.BasicAuth.Password)))
		secrets = append(secrets, h.BasicAuth.Password, promconfig.Secret(pair))
	}
	if h.Authorization != nil {
		secrets = append(secrets, h.Authorization.Credentials)
	}
	if h.OAuth2 != nil {
		secrets = append(secrets, h.OAuth2.ClientSecret, h.OAuth2.ClientCertificateKey)
	}
	if h.HTTPHeaders != nil {
		for _, header := range h.HTTPHeaders.Headers {
			secrets = append(secrets, header.Secrets...)
		}
	}
	if u := h.ProxyURL.URL; u != nil {
		password, _ := u.User.Password()
		secrets = append(secrets, promconfig.Secret(password))
	}
	var pairs []string
	for _, s := range secrets {
		if s != "" {
			pairs = append(pairs, string(s), "<secret>")
		}
	}
	return strings.NewReplacer(pairs...)
}

// maxText bounds what is kept of an answer, in bytes. Ten refused entries take 2 KiB.
const maxText = 8 << 10

// do sends a copy of req with a body, nil for none, and returns the status and the text
// of the answer, or an error when there was none. Neither holds a secret.
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

// text returns the beginning of what an answer says, without secrets.
func (c *client) text(resp *http.Response) string {
	head, _ := io.ReadAll(io.LimitReader(resp.Body, maxText)) // the status counts; a text cut short is a text
	// The connection can be used again once the answer is read.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxText))
	return c.secrets.Replace(strings.ToValidUTF8(strings.TrimSpace(string(head)), "?"))
}

// ask sends a copy of req with a body, nil for none. The caller closes the body of the
// answer, whose end ctx bounds. The error holds no secret.
func (c *client) ask(ctx context.Context, req *http.Request, body []byte) (*http.Response, error) {
	req = req.WithContext(ctx)
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
		return nil, &requestError{text: c.secrets.Replace(fmt.Sprintf("%s %s: no answer: %v", req.Method, req.URL, err)), err: err}
	}
	return resp, nil
}

// requestError keeps the cause for errors.Is, and takes the secrets out of the text.
type requestError struct {
	text string
	err  error
}

func (e *requestError) Error() string { return e.text }
func (e *requestError) Unwrap() error { return e.err }
