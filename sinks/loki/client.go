package loki

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// answerKind is what a push came to.
type answerKind int

const (
	answerStored   answerKind = iota // 204
	answerPartial                    // 400: some entries stored, some not
	answerTooLarge                   // 413
	answerRefused                    // for good, whatever is in the request
	answerBlocked                    // for now
	answerFailed                     // it may succeed in a moment
)

// answer is what came back for a push.
type answer struct {
	kind   answerKind
	status int    // 0 for none
	text   string // Loki's own words
	err    error  // nil when stored
	sent   bool   // Loki may have stored entries
}

// client speaks Loki's HTTP API at one address.
type client struct {
	http    *http.Client
	secrets *strings.Replacer

	// What to ask; do copies them. Loki has ready, VictoriaLogs metrics.
	push, ready, metrics *http.Request
}

func newClient(base *url.URL, o Options) (*client, error) {
	h, err := promconfig.NewClientFromConfig(o.HTTP, "paddock-audit-loki")
	if err != nil {
		return nil, err
	}
	c := &client{http: h, secrets: newRedactor(o.HTTP)}
	for _, r := range []struct {
		request *(*http.Request)
		method  string
		address string
	}{
		{&c.ready, http.MethodGet, base.String() + "/ready"},
		{&c.metrics, http.MethodGet, base.String() + "/metrics"},
		{&c.push, http.MethodPost, base.String() + o.Server.prefix() + pushPath + o.Server.query()},
	} {
		if *r.request, err = newRequest(r.method, r.address, o.TenantID); err != nil {
			return nil, err
		}
	}
	c.push.Header.Set("Content-Type", "application/x-protobuf")
	c.push.Header.Set("Content-Encoding", "snappy")
	return c, nil
}

func newRequest(method, address, tenant string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, address, nil) // each copy has its own
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "paddock-audit")
	if tenant != "" {
		req.Header.Set("X-Scope-OrgID", tenant)
	}
	return req, nil
}

func (c *client) closeIdle() { c.http.CloseIdleConnections() }

// redacted stands for a secret that somebody's answer repeats.
const redacted = "<secret>"

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
			pairs = append(pairs, string(s), redacted)
		}
	}
	return strings.NewReplacer(pairs...)
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

func getBuffer() *[]byte {
	b, ok := buffers.Get().(*[]byte)
	if !ok {
		panic("loki: the pool of buffers holds something else")
	}
	return b
}

// body returns the compressed request. It is a fresh slice: the HTTP client may
// go on reading it after it has answered.
func body(labels string, entries []*entry) (compressed []byte, size int) {
	raw, packed := getBuffer(), getBuffer()
	defer buffers.Put(raw)
	defer buffers.Put(packed)
	*raw = encodeRequest(*raw, labels, entries)
	*packed = slices.Grow((*packed)[:0], s2.MaxEncodedLen(len(*raw)))
	return bytes.Clone(s2.EncodeSnappy((*packed)[:cap(*packed)], *raw)), len(*raw)
}

// push sends entries to one stream and measures it.
func (s *store) push(ctx context.Context, labels string, entries []*entry) answer {
	if ctx.Err() != nil {
		return answer{kind: answerFailed, err: marked(ctx, context.Cause(ctx))}
	}
	compressed, size := body(labels, entries)
	start := time.Now()
	s.metrics.inFlight.Inc()
	a := s.client.send(ctx, compressed)
	s.metrics.inFlight.Dec()
	s.metrics.observe(a, len(entries), size, time.Since(start))
	return a
}

// send pushes one request, compressed.
func (c *client) send(ctx context.Context, compressed []byte) answer {
	status, text, err := c.do(ctx, c.push, compressed)
	if err != nil {
		return answer{kind: answerFailed, err: marked(ctx, err), sent: !isDial(err)}
	}
	a := classify(status, text)
	if a.kind != answerStored {
		a.err = driver.WithClass(auditing.ClassTransient, statusError(c.push, status, text))
	}
	return a
}

// errSlow ends a request.
var errSlow = errors.New("Options.PushTimeout is over")

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

// isDial reports that no connection was made, so that nothing was sent.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// classify reads an answer as Loki means it.
func classify(status int, text string) answer {
	a := answer{status: status, text: text, sent: true}
	switch {
	case status == http.StatusNoContent:
		a.kind = answerStored
	case status == http.StatusBadRequest:
		a.kind = answerPartial
	case status == http.StatusRequestEntityTooLarge:
		a.kind = answerTooLarge
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		a.kind = answerFailed
	case status >= 200 && status < 300:
		a.kind = answerBlocked // 260 is a 2xx under which Loki stores nothing
	default:
		a.kind = answerRefused
	}
	return a
}

// statusError says what was asked, what Loki said, and what to check.
func statusError(req *http.Request, status int, text string) error {
	advice := ""
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		advice = ": check Options.TenantID and the credentials in Options.HTTP"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		advice = ": check that the URL is Loki's, or the path of a gateway to it, and Options.Server"
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		advice = ": use the URL that it redirects to"
	case http.StatusRequestEntityTooLarge:
		advice = ": raise the limit on the size of a request, in Loki or before it"
	}
	if status >= 200 && status < 300 && status != http.StatusNoContent {
		advice = ": not 204, so nothing was stored: Loki blocks ingestion (block_ingestion_until), or this is no Loki"
	}
	if text == "" {
		text = http.StatusText(status)
	}
	return fmt.Errorf("%s %s refused: %d: %s%s", req.Method, req.URL, status, text, advice)
}

// maxText bounds what is kept of an answer. Ten refused entries take 2 KiB.
const maxText = 8 << 10

// do sends a copy of a request with a body, nil for none, and returns the status
// and the text of the answer, or an error without secrets when there was none.
func (c *client) do(ctx context.Context, template *http.Request, body []byte) (status int, text string, err error) {
	resp, err := c.ask(ctx, template, body)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	var head []byte
	if resp.StatusCode != http.StatusNoContent {
		head, _ = io.ReadAll(io.LimitReader(resp.Body, maxText)) // the status counts; a text cut short is a text
		// The connection can be used again once the answer is read.
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxText))
	}
	text = strings.ToValidUTF8(strings.TrimSpace(string(head)), "?")
	return resp.StatusCode, c.secrets.Replace(text), nil
}

// ask sends a copy of a request with a body, nil for none. The caller closes the
// body of the answer. The error holds no secret.
func (c *client) ask(ctx context.Context, template *http.Request, body []byte) (*http.Response, error) {
	req := template.WithContext(ctx)
	if body != nil {
		req.ContentLength = int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Body, _ = req.GetBody() // never fails
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.requestError(template, err)
	}
	return resp, nil
}

// requestError keeps the cause for errors.Is and takes the secrets out of the text.
func (c *client) requestError(req *http.Request, err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return &requestError{
		text: c.secrets.Replace(fmt.Sprintf("%s %s: no answer: %v", req.Method, req.URL, err)),
		err:  err,
	}
}

type requestError struct {
	text string
	err  error
}

func (e *requestError) Error() string { return e.text }
func (e *requestError) Unwrap() error { return e.err }
