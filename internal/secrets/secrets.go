// Package secrets keeps the credentials that a client sends out of the texts of errors: a
// server may quote in its answer what it was sent.
package secrets

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
)

const (
	// rememberedSecrets is how many secrets are kept, far more than one request sends. New
	// secrets replace the oldest: oauth2 has a new token every hour.
	rememberedSecrets = 64

	// shortestSecret is the length, in bytes, from which the value of a header is taken for
	// a secret. Values of authentication headers are secrets at any length.
	shortestSecret = 4
)

// Secrets removes, from texts of a server, the credentials that a client has sent. It takes
// them from the requests, because a secret may come from a file that has changed since, or
// from another server. The zero value is ready for use, by any number of goroutines. Set
// Tenant before.
type Secrets struct {
	// Tenant is a value of X-Scope-OrgID that is no secret.
	Tenant string

	mu    sync.Mutex
	fixed []string // that were kept for good
	sent  []string // by the latest requests, the last one last
}

// Keep remembers for good the value of a header that cannot be traced, such as one for a
// proxy.
func (s *Secrets) Keep(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fixed = append(s.fixed, credentials(value)...)
}

// Basic returns the credentials of HTTP's basic authentication.
func Basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// Tracing returns a context for a request whose headers are noted when they are sent.
func (s *Secrets) Tracing(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaderField: s.wrote})
}

func (s *Secrets) wrote(name string, values []string) {
	name = http.CanonicalHeaderKey(name)
	// The prefixes are those of pseudo-headers of HTTP/2, of names of users, and of CloudEvents.
	if strings.HasPrefix(name, ":") || strings.HasPrefix(name, "Impersonate-") || strings.HasPrefix(name, "Ce-") || slices.Contains(public, name) {
		return
	}
	authentication := name == "Authorization" || name == "Proxy-Authorization"
	for _, value := range values {
		tenant := name == "X-Scope-Orgid" && value == s.Tenant
		if authentication || len(value) >= shortestSecret && !tenant {
			s.Note(value)
		}
	}
}

// public are headers without secrets: those of every request, and those of Standard Webhooks, which
// are others in each request.
var public = []string{
	"Accept", "Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Host", "Transfer-Encoding", "User-Agent",
	"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature",
}

// Note remembers a value that was sent.
func (s *Secrets) Note(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.sent); n > 0 && s.sent[n-1] == value { // most sinks send the same secret each time
		return
	}
	s.sent = append(slices.DeleteFunc(s.sent, func(old string) bool { return old == value }), value)
	if n := len(s.sent) - rememberedSecrets; n > 0 {
		s.sent = slices.Delete(s.sent, 0, n)
	}
}

// all returns the secrets in the forms in which servers may quote them, longest first.
func (s *Secrets) all() []string {
	s.mu.Lock()
	known := slices.Clone(s.fixed)
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

// credentials returns the secrets in the value of a header: the value, the part after the
// name of a scheme, and for Basic the decoded part and the password.
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

// Hide returns text without secrets.
func (s *Secrets) Hide(text string) string {
	var pairs []string
	for _, secret := range s.all() {
		pairs = append(pairs, secret, "<secret>")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Uncut returns a text whose end was cut off. It removes the beginning of a secret from the
// new end of the text, because hide would not find an incomplete secret.
func (s *Secrets) Uncut(text string) string {
	for _, secret := range s.all() {
		for n := len(secret) - 1; n > 0; n-- {
			text = strings.TrimSuffix(text, secret[:n])
		}
	}
	return text
}
