package loki

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	promconfig "github.com/prometheus/common/config"
)

const (
	// rememberedSecrets is far more than one request sends. Old ones make way for
	// those that replace them: a token of oauth2 is new every hour.
	rememberedSecrets = 64

	// shortestSecret is the shortest value of a header, in bytes, that is taken for a
	// secret. Those of authentication are secret at any length.
	shortestSecret = 4
)

// secrets takes out of texts that come from outside what the sink has sent to prove
// who it is. It goes by the requests themselves, because a secret may come from a file
// that has changed since, or from another server.
type secrets struct {
	tenant string
	fixed  []string // of the proxy, which no request shows

	mu   sync.Mutex
	sent []string // by the latest requests, the last one last
}

func newSecrets(o Options, base *url.URL) *secrets {
	s := &secrets{tenant: o.TenantID}
	for _, values := range o.HTTP.ProxyConnectHeader {
		for _, value := range values {
			s.fixed = append(s.fixed, credentials(string(value))...)
		}
	}
	proxyOf := o.HTTP.Proxy()
	if proxyOf == nil {
		return s
	}
	if proxy, err := proxyOf(&http.Request{URL: base}); err == nil && proxy != nil {
		if password, set := proxy.User.Password(); set {
			s.fixed = append(s.fixed, password, basic(proxy.User.Username(), password))
		}
	}
	return s
}

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// tracing returns a context under which the headers of a request are noted as they
// are sent.
func (s *secrets) tracing(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaderField: s.wrote})
}

func (s *secrets) wrote(name string, values []string) {
	name = http.CanonicalHeaderKey(name)
	if strings.HasPrefix(name, ":") || slices.Contains(public, name) { // HTTP/2 has the first
		return
	}
	authentication := name == "Authorization" || name == "Proxy-Authorization"
	for _, value := range values {
		tenant := name == "X-Scope-Orgid" && value == s.tenant
		if authentication || len(value) >= shortestSecret && !tenant {
			s.note(value)
		}
	}
}

// public are the headers that every request has.
var public = []string{
	"Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Host", "Transfer-Encoding", "User-Agent",
}

// note remembers what was sent.
func (s *secrets) note(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.sent); n > 0 && s.sent[n-1] == value { // most sinks send one secret
		return
	}
	s.sent = append(slices.DeleteFunc(s.sent, func(old string) bool { return old == value }), value)
	if n := len(s.sent) - rememberedSecrets; n > 0 {
		s.sent = slices.Delete(s.sent, 0, n)
	}
}

// all returns the secrets in the ways in which servers write them, longest first.
func (s *secrets) all() []string {
	known := slices.Clone(s.fixed)
	s.mu.Lock()
	for _, value := range s.sent {
		known = append(known, credentials(value)...)
	}
	s.mu.Unlock()
	var all []string
	for _, secret := range known {
		if secret == "" {
			continue
		}
		encoded, _ := json.Marshal(secret) // a string cannot fail
		all = append(all, secret, string(encoded[1:len(encoded)-1]), inside(strconv.Quote(secret)), inside(strconv.QuoteToASCII(secret)),
			html.EscapeString(secret), url.QueryEscape(secret), url.PathEscape(secret))
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return all
}

func inside(quoted string) string { return quoted[1 : len(quoted)-1] }

// credentials returns the value of a header, and what it holds after the name of a
// scheme: a token, or a user's name and password.
func credentials(value string) []string {
	scheme, rest, found := strings.Cut(value, " ")
	if !found {
		return []string{value}
	}
	all := []string{value, rest}
	if pair, err := base64.StdEncoding.DecodeString(rest); err == nil && strings.EqualFold(scheme, "Basic") {
		_, password, _ := strings.Cut(string(pair), ":")
		all = append(all, string(pair), password)
	}
	return all
}

// hide returns text without secrets.
func (s *secrets) hide(text string) string {
	var pairs []string
	for _, secret := range s.all() {
		pairs = append(pairs, secret, "<secret>")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// uncut returns a text whose end was cut off, without the beginning of a secret that
// was cut in two.
func (s *secrets) uncut(text string) string {
	for _, secret := range s.all() {
		for n := len(secret) - 1; n > 0; n-- {
			text = strings.TrimSuffix(text, secret[:n])
		}
	}
	return text
}

// noted is the secret of oauth2, which goes to another server and so into no request
// of the sink.
type noted struct {
	promconfig.SecretReader

	secrets *secrets
	id      string
}

// Fetch reads the secret.
func (n noted) Fetch(ctx context.Context) (string, error) {
	secret, err := n.SecretReader.Fetch(ctx)
	if err == nil && secret != "" {
		n.secrets.note("Basic " + basic(url.QueryEscape(n.id), url.QueryEscape(secret)))
		n.secrets.note(secret)
	}
	return secret, err
}

// Immutable returns false, so that the secret is noted for each request.
func (n noted) Immutable() bool { return false }
