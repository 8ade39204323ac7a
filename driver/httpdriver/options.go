package httpdriver

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/internal/httpclient"
	"github.com/paddock-dev/audit/internal/options"
)

// Options say how a Client sends requests and judges answers. The zero value is valid. The
// fields with a key are those that an operator sets: a destination may inline Options in the
// struct of its section of a configuration file.
type Options struct {
	// Name of the sink, as in driver.Info. The errors of New begin with it, and so does the
	// client's name in the metrics of Prometheus' connections, after "paddock-audit-". The
	// errors of requests do not, for an auditing.WriteError names the sink. "http" when empty.
	Name string

	// HTTP configures authentication, TLS, proxy and headers with the keys that Prometheus
	// has: basic_auth, authorization with credentials_file (read again when it changes),
	// oauth2, tls_config, proxy_url. The zero value is plain HTTP/1.1. follow_redirects is
	// refused: another host would answer, and would get the headers. Nor is a redirect of
	// oauth2's token_url followed to another host, unless a proxy is between.
	HTTP promconfig.HTTPClientConfig `yaml:"http" doc:"authentication, TLS, proxy and headers, with the keys of Prometheus; secrets belong into the keys that end in _file"`

	// Header is sent with each request. A User-Agent is set where it has none.
	Header http.Header

	// PublicPaths are the ends of paths that errors show: those of the server's API, such as
	// "/v1/logs", which hold no secret. Of any other path, and of what stands before such an end,
	// errors show "/…" alone, for an address may be all that a server asks of a sender.
	PublicPaths []string

	// TenantID is sent as X-Scope-OrgID, and is no secret. Empty for a server without tenants.
	TenantID string `yaml:"tenantID" doc:"tenant, sent as X-Scope-OrgID"`

	// Timeout bounds one request with its answer: 1 ms to 10 minutes. 10 s when 0.
	Timeout time.Duration `yaml:"timeout" default:"10s" min:"1ms" max:"10m" doc:"how long one request may take"`

	// RefusalGrace is how long the server may refuse the sink itself (RefusedSender) before
	// such an answer is of auditing.ClassPermanent, for which a spool makes a dead letter of
	// each event. Until then it is transient, because a password may be being exchanged, or a
	// gateway be starting. The time begins with the first such answer, and an answer that lets
	// the sink in (Stored or Refused) ends it. 10 minutes when 0, at most 100 years; negative
	// for permanent at once.
	RefusalGrace time.Duration `yaml:"refusalGrace" default:"10m" max:"876000h" off:"true" doc:"how long answers such as 401, 403, 404, 407 and redirects are tried again by a retry or a spool before they count as permanent; negative for not at all"`

	// Judge changes the Verdict and the Advice of an answer where the server's own rules
	// differ from those of the package. Both are set before it is called. It is called for
	// each answer of Post, by several goroutines at once. nil changes nothing.
	Judge func(*Answer)

	// Wrap returns what sends the requests, such as a transport that signs or traces them and
	// hands each, with its context, to next. nil for next itself.
	Wrap func(next http.RoundTripper) http.RoundTripper

	// MaxBody is how much of an answer 2xx the sink reads, in bytes. A longer one, or one that
	// breaks off, is then Unclear, and Judge is not called. 0 for a sink that does not look
	// at it: then Body has the beginning only.
	MaxBody int
}

// Validate returns an error that joins all that is wrong with the options. It quotes no
// secret.
func (o Options) Validate() error { return o.complete() }

// complete sets all defaults, and returns what Validate does.
func (o *Options) complete() error {
	errs := []error{options.Complete(o)}
	wrong := func(field, format string, args ...any) {
		errs = append(errs, &options.Error{Name: field, Err: fmt.Errorf(format, args...)})
	}
	if !validValue(o.TenantID) {
		errs = append(errs, options.At(*o, "TenantID", "holds control characters: take them out"))
	}
	if err := checkHeader(o.Header); err != nil {
		wrong("Header", "%w", err)
	}
	if o.MaxBody < 0 {
		wrong("MaxBody", "is negative: want a number of bytes, or 0")
	}
	return errors.Join(append(errs, httpclient.Check(o.HTTP))...)
}

// ownHeaders are set by net/http, which leaves out what a caller gives for them.
var ownHeaders = []string{"Host", "Content-Length", "Transfer-Encoding", "Trailer"}

// checkHeader returns an error when a header cannot be sent. It quotes no value.
func checkHeader(header http.Header) error {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		switch {
		case name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isToken(r) }):
			return fmt.Errorf("%q is no name of a header: want letters, digits and dashes", name)
		case slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)):
			return fmt.Errorf("%s cannot be set: leave it out, for it follows from the address and the body", name)
		case slices.ContainsFunc(header[name], func(value string) bool { return !validValue(value) }):
			return fmt.Errorf("%s holds control characters: take them out, or encode them", name)
		}
	}
	return nil
}

// isToken reports whether r may be in the name of a header (RFC 9110, 5.6.2).
func isToken(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// validValue reports whether a header can have this value.
func validValue(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
