package webhook

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/httpclient"
	"github.com/paddock-dev/audit/internal/options"
)

// Mode is a way to put events into requests, one of the content modes of CloudEvents over
// HTTP.
type Mode string

const (
	// ModeStructured sends each event in a request of its own, as one JSON object with the
	// attributes and the data (application/cloudevents+json). Every receiver of CloudEvents
	// understands it.
	ModeStructured Mode = "structured"
	// ModeBinary sends each event in a request of its own: the data is the body, and the
	// attributes are headers that begin with ce-.
	ModeBinary Mode = "binary"
	// ModeBatch sends the events that wait at the same time in one request, as a JSON array
	// (application/cloudevents-batch+json). It is many times as fast. CloudEvents allows it
	// only for receivers that ask for batches, so choose it for those.
	ModeBatch Mode = "batch"
)

// Options say how events are sent, and what an answer is worth. The zero value is valid; it
// signs nothing.
type Options struct {
	// Mode is ModeStructured when empty.
	Mode Mode `yaml:"mode" default:"structured" enum:"structured,binary,batch" doc:"how events are put into requests: one event each, as JSON (structured) or with its attributes in headers (binary), or many in one (batch), for receivers that take batches"`

	// Level is what nil from Write promises. With auditing.LevelAccepted, the receiver has
	// taken the event with 200, 201, 202 or 204. With auditing.LevelAcknowledged, it has said
	// with 200, 201 or 204 that it has processed the event, and 202, by which it says
	// that it has not yet, is an error. LevelAccepted when 0: what a receiver does before it
	// answers, only those know who run it. State LevelAcknowledged for one that stores events
	// before it answers.
	Level auditing.Level `yaml:"level" default:"accepted" enum:"accepted,acknowledged" doc:"what a write promises; acknowledged is for a receiver that stores events before it answers, and then 202 is an error"`

	// Component is stamped on every event, as its label paddock.dev/component. It is in the
	// source of the CloudEvent, and its attribute component. Empty leaves what the event
	// says. It must be a Kubernetes label value.
	Component string

	// Source is the beginning of the attribute source, a URI or the path of one without a
	// query: "/audit" when empty, or "//eu-1.example/audit" to tell clusters apart. The
	// namespace and the component of the event follow.
	Source string `yaml:"source" default:"/audit" doc:"beginning of the attribute source, such as //eu-1.example/audit; the namespace and the component of the event follow"`

	// Secrets sign the requests, as Standard Webhooks says: "whsec_" and the base64 of 24 to
	// 64 random bytes. The receiver needs one of them. Several are for a change of the
	// secret: each request then has a signature by each.
	Secrets []promconfig.Secret `yaml:"secrets" doc:"what signs the requests by Standard Webhooks: whsec_ and the base64 of 24 to 64 random bytes; several while the secret is being changed"`

	// SecretsFile is the path of a file with such secrets, one a line, instead of Secrets.
	// It is read for each request, so that secrets can be changed while the sink is in use.
	// While it cannot be read, writes fail with auditing.ClassTransient.
	SecretsFile string `yaml:"secrets_file" doc:"path of a file with such secrets, one a line, instead of secrets; it is read again for each request"`

	// HTTP configures authentication, TLS, proxy and headers with the keys that Prometheus
	// has, as for package loki. The zero value is plain HTTP/1.1. Redirects are not followed.
	HTTP promconfig.HTTPClientConfig `yaml:"http" doc:"authentication, TLS, proxy and headers, with the keys of Prometheus; secrets belong into the keys that end in _file"`

	// MaxBatchEvents bounds the events of a request of ModeBatch: 1 to 10,000. 100 when 0. A
	// request ends before 1 MiB as well, unless a single event is larger. For the other
	// modes it is 1.
	MaxBatchEvents int `yaml:"maxBatchEvents" max:"10000" min:"0" doc:"most events of a request of the mode batch; 100 where it is left out"`

	// MaxInFlight bounds the requests under way at once: 1 to 10,000. 8 when 0.
	MaxInFlight int `yaml:"maxInFlight" default:"8" min:"1" max:"10000" doc:"requests under way at once"`

	// MaxPendingBytes bounds the memory of events that wait for their request, as encoded: 2
	// MiB to 1 TiB. 16 MiB when 0. A writer for whom there is no room waits for it, as long
	// as its context lets it.
	MaxPendingBytes int64 `yaml:"maxPendingBytes" default:"16777216" min:"2097152" max:"1099511627776" doc:"memory of events that wait for their request"`

	// Timeout bounds one request with its answer: 1 ms to 10 minutes. 15 s when 0.
	Timeout time.Duration `yaml:"timeout" default:"15s" min:"1ms" max:"10m" doc:"how long one request may take"`

	// RefusalGrace is how long a receiver or a gateway may refuse the sink itself, with 401,
	// 403, 404, 407, a redirect or the like, before such an answer is of
	// auditing.ClassPermanent, for which a spool makes a dead letter of each event. Until
	// then it is transient. 10 minutes when 0, at most 100 years; negative for permanent at
	// once. 410 is permanent at once always.
	RefusalGrace time.Duration `yaml:"refusalGrace" default:"10m" max:"876000h" off:"true" doc:"how long answers such as 401, 403, 404, 407 and redirects are tried again by a retry or a spool before they count as permanent; negative for not at all"`

	// Registerer takes the metrics paddock_audit_webhook_*. nil for none. Several sinks may
	// share one.
	Registerer prometheus.Registerer
}

// Format keeps secrets out of the output of every verb.
func (Options) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webhook.Options") }

// Validate returns an error that joins all that is wrong with the options. It quotes
// no secret, and reads no file.
func (o Options) Validate() error { return o.complete() }

// complete sets all defaults, and returns what Validate does.
func (o *Options) complete() error {
	errs := []error{options.Complete(o)}
	wrong := func(field, format string, args ...any) {
		errs = append(errs, options.At(*o, field, format, args...))
	}
	if o.Level != auditing.LevelAccepted && o.Level != auditing.LevelAcknowledged {
		wrong("Level", "is %s: want accepted or acknowledged", o.Level)
	}
	if err := checkSource(o.Source); err != nil {
		wrong("Source", "%w", err)
	}
	if _, err := newSigner(o.Secrets, ""); err != nil {
		wrong("Secrets", "%w", err)
	}
	if len(o.Secrets) > 0 && o.SecretsFile != "" {
		wrong("SecretsFile", "is set beside Secrets: leave one of them out")
	}
	if o.Mode != ModeBatch && o.MaxBatchEvents > 1 {
		wrong("MaxBatchEvents", "is for the mode batch: set that, or leave it out")
	}
	if o.Mode == ModeBatch {
		o.MaxBatchEvents = cmp.Or(o.MaxBatchEvents, 100)
	} else {
		o.MaxBatchEvents = 1
	}
	return errors.Join(append(errs, httpclient.Check(o.HTTP), checkHeaders(o.HTTP.HTTPHeaders))...)
}

// checkSource says why a source cannot begin those of CloudEvents. A redaction has not seen
// it, and it is no secret, but errors do not quote what is not as it should be.
func checkSource(source string) error {
	u, err := url.Parse(source)
	switch {
	case err != nil || strings.ContainsFunc(source, outsideURI):
		return errors.New("is no URI: want one like /audit or //eu-1.example/audit, of the characters that a URI can have")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(source, "#"):
		return errors.New("has a user, a query or a fragment: want a URI like //eu-1.example/audit without them")
	case strings.HasSuffix(source, "/"):
		return errors.New("ends with a slash: leave that out, for a path is appended")
	}
	return nil
}

// outsideURI reports that a character cannot stand in a URI (RFC 3986).
func outsideURI(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !letter && !strings.ContainsRune("-._~:/?#[]@!$&'()*+,;=%", r)
}

// checkHeaders refuses headers that the sink sets itself. A second value would be covered by
// no signature.
func checkHeaders(h *promconfig.Headers) error {
	if h == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		canonical := http.CanonicalHeaderKey(name)
		if own := canonical == headerID || canonical == headerTimestamp || canonical == headerSignature; own || strings.HasPrefix(canonical, "Ce-") {
			return &options.Error{
				Name: "HTTP.HTTPHeaders", Key: "http.http_headers",
				Err: errors.New("has a header that is set for each request: leave out webhook-id, webhook-timestamp, webhook-signature and what begins with ce-"),
			}
		}
	}
	return nil
}
