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
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	promconfig "github.com/prometheus/common/config"
)

// answerKind is what a push came to.
type answerKind int

const (
	answerStored   answerKind = iota // 204
	answerPartial                    // 400: some entries stored, some not
	answerTooLarge                   // 413
	answerRefused                    // for good, whatever is in the request
	answerBlocked                    // for now; soon asking again is of no use
	answerRetry                      // it may succeed in a moment
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
	base    string // without a slash at its end
	tenant  string
	secrets *strings.Replacer
}

func newClient(base *url.URL, o Options) (*client, error) {
	c, err := promconfig.NewClientFromConfig(o.HTTP, "paddock-audit-loki", promconfig.WithUserAgent("paddock-audit"))
	if err != nil {
		return nil, err
	}
	return &client{http: c, base: base.String(), tenant: o.TenantID, secrets: newRedactor(o.HTTP)}, nil
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
func body(labels string, entries [][]byte) (compressed []byte, size int) {
	raw, packed := getBuffer(), getBuffer()
	defer buffers.Put(raw)
	defer buffers.Put(packed)
	*raw = appendRequest((*raw)[:0], labels, entries)
	if most := s2.MaxEncodedLen(len(*raw)); cap(*packed) < most {
		*packed = make([]byte, most)
	}
	return bytes.Clone(s2.EncodeSnappy((*packed)[:cap(*packed)], *raw)), len(*raw)
}

// push sends entries to one stream and measures it.
func (s *Sink) push(ctx context.Context, labels string, entries [][]byte) answer {
	compressed, size := body(labels, entries)
	start := time.Now()
	s.metrics.inFlight.Inc()
	a := s.client.push(ctx, compressed)
	s.metrics.inFlight.Dec()
	s.metrics.observe(a, len(entries), size, time.Since(start))
	return a
}

func (c *client) push(ctx context.Context, compressed []byte) answer {
	status, text, err := c.do(ctx, http.MethodPost, pushPath, compressed)
	if err != nil {
		return answer{kind: answerRetry, err: err, sent: !isDial(err)}
	}
	a := classify(status, text)
	if a.kind != answerStored {
		a.err = c.statusError(http.MethodPost, pushPath, status, text)
	}
	return a
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
		a.kind = answerRetry
	case status >= 200 && status < 300:
		a.kind = answerBlocked // 260 is a 2xx under which Loki stores nothing
	default:
		a.kind = answerRefused
	}
	return a
}

// statusError says what was asked, what Loki said, and what to check.
func (c *client) statusError(method, path string, status int, text string) error {
	advice := ""
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		advice = ": check Options.TenantID and the credentials in Options.HTTP"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		advice = ": check that the URL is Loki's, or the path of a gateway to it"
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
	return fmt.Errorf("%s %s%s refused: %d: %s%s", method, c.base, path, status, text, advice)
}

// maxText bounds what is kept of an answer. Ten refused entries take 2 KiB.
const maxText = 8 << 10

// do sends one request and returns the status and the text of the answer, or an
// error without secrets when there was none.
func (c *client) do(ctx context.Context, method, path string, compressed []byte) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(compressed))
	if err != nil {
		return 0, "", err
	}
	if compressed != nil {
		req.Header.Set("Content-Type", "application/x-protobuf")
		req.Header.Set("Content-Encoding", "snappy")
	}
	if c.tenant != "" {
		req.Header.Set("X-Scope-OrgID", c.tenant)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, "", c.requestError(method, path, err)
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

// requestError keeps the cause for errors.Is and takes the secrets out of the text.
func (c *client) requestError(method, path string, err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return &requestError{
		text: c.secrets.Replace(fmt.Sprintf("%s %s%s: no answer: %v", method, c.base, path, err)),
		err:  err,
	}
}

type requestError struct {
	text string
	err  error
}

func (e *requestError) Error() string { return e.text }
func (e *requestError) Unwrap() error { return e.err }
