package otlp

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/httpclient"
	"github.com/paddock-dev/audit/internal/options"
)

// Options say how events are described and sent. The zero value is valid.
type Options struct {
	// Level is what nil from Write promises. auditing.LevelAccepted when 0: the receiver has
	// answered, and may lose the event with its memory. Only the receiver's configuration
	// says more, so the operator states it:
	//
	//   - LevelDurable for a collector whose every pipeline of logs has its queue on disk
	//     with fsync (sending_queue.storage, file_storage with fsync: true), or none, and no
	//     processor that gathers batches in memory.
	//   - LevelAcknowledged for a collector without a queue (sending_queue.enabled: false)
	//     and without such a processor, which answers only after its backend, or for a
	//     backend that answers 200 once it has stored the event.
	Level auditing.Level `yaml:"level" default:"accepted" enum:"accepted,durable,acknowledged" doc:"what a write promises; more than accepted only where the receiver's configuration keeps it"`

	// Component is stamped on every event, as its label paddock.dev/component and as the
	// attribute component. Empty leaves what the event says. It must be a Kubernetes label
	// value.
	Component string

	// ServiceName is the attribute service.name of the resource. "audit" when empty.
	ServiceName string `yaml:"serviceName" default:"audit" doc:"the attribute service.name of the resource"`

	// ResourceAttributes are further attributes of the resource: a cluster, a region. They
	// should have few values, for backends make an index or a stream of each combination. At
	// most 32; names are of letters, digits, dots, dashes and underscores, and values have at most
	// 2,048 bytes.
	ResourceAttributes map[string]string `yaml:"resourceAttributes" doc:"further attributes of the resource, few and with few values"`

	// ResendPartial states that the backend takes records with the same log.record.uid for
	// one. When the receiver says that it rejected some records of a request and not which,
	// each is then sent again alone, and its own answer decides. Otherwise all of them fail:
	// the protocol forbids sending such a request again, because the backend may hold two
	// records of an event then.
	ResendPartial bool `yaml:"resendPartial" doc:"the backend folds records by log.record.uid, so those of a request that was rejected in part are sent again, each alone"`

	// Compression of requests: "gzip", when empty, or "none".
	Compression string `yaml:"compression" default:"gzip" enum:"gzip,none" doc:"how requests are compressed"`

	// TenantID is sent as X-Scope-OrgID. Empty for a receiver without tenants, or behind a
	// gateway that sets it.
	TenantID string `yaml:"tenantID" doc:"tenant, sent as X-Scope-OrgID"`

	// HTTP configures authentication, TLS, proxy and headers, with the keys that Prometheus
	// has, as in package loki. The zero value is plain HTTP/1.1. follow_redirects is refused:
	// the page at the end of a redirect may answer 200 to anybody, and it would get the
	// headers.
	HTTP promconfig.HTTPClientConfig `yaml:"http" doc:"authentication, TLS, proxy and headers, with the keys of Prometheus; secrets belong into the keys that end in _file"`

	// MaxInFlight bounds the requests under way at once: 1 to 10,000. 8 when 0.
	MaxInFlight int `yaml:"maxInFlight" default:"8" min:"1" max:"10000" doc:"requests under way at once"`

	// MaxPendingBytes bounds the memory of events that wait for their request, as encoded:
	// 2 MiB to 1 TiB. 16 MiB when 0. A writer for whom there is no room waits for it, as long
	// as its context lets it.
	MaxPendingBytes int64 `yaml:"maxPendingBytes" default:"16777216" min:"2097152" max:"1099511627776" doc:"memory of events that wait for their request"`

	// Timeout bounds one request: 1 ms to 10 minutes. 10 s when 0, as OpenTelemetry's
	// exporters have it.
	Timeout time.Duration `yaml:"timeout" default:"10s" min:"1ms" max:"10m" doc:"how long one request may take"`

	// RefusalGrace is how long a receiver or a gateway may refuse the sink itself, with 401,
	// 403, 404, 407, a redirect or the like, before such an answer is of
	// auditing.ClassPermanent, for which a spool makes a dead letter of each event. Until
	// then it is transient, because a password may be being exchanged, or a gateway be
	// starting. The time begins with the first such answer, and ends with the first that lets
	// the sink in. 10 minutes when 0, at most 100 years; negative for permanent at once.
	RefusalGrace time.Duration `yaml:"refusalGrace" default:"10m" max:"876000h" off:"true" doc:"how long answers such as 401, 403, 404, 407 and redirects are tried again by a retry or a spool before they count as permanent; negative for not at all"`

	// OnWarning hears what a receiver says that rejects nothing, such as that a field will
	// not be taken much longer. The text is bounded and has neither control characters nor
	// credentials. A text comes once, as long as the receiver says no other. OnWarning is called by any number of goroutines,
	// and holds up the writers while it runs. nil to ignore what the metrics count.
	OnWarning func(text string)

	// Registerer takes the metrics paddock_audit_otlp_*. nil for none. Several sinks may
	// share one.
	Registerer prometheus.Registerer
}

const (
	compressionGzip = "gzip"

	maxAttributes     = 32
	maxAttributeValue = 2048 // bytes
)

// Validate returns an error that joins all that is wrong with the options. It quotes no
// secret.
func (o Options) Validate() error { return o.complete() }

// StatedLevel is the level of a Sink with these options.
func (o Options) StatedLevel() auditing.Level {
	if o.Level == auditing.LevelNone {
		return auditing.LevelAccepted
	}
	return o.Level
}

// complete sets all defaults, and returns what Validate does.
func (o *Options) complete() error {
	errs := []error{options.Complete(o)}
	wrong := func(field, format string, args ...any) {
		errs = append(errs, options.At(*o, field, format, args...))
	}
	if o.Level < auditing.LevelAccepted || o.Level > auditing.LevelAcknowledged {
		wrong("Level", "is %s: want accepted, durable or acknowledged", o.Level)
	}
	if len(o.ServiceName) > maxAttributeValue || !utf8.ValidString(o.ServiceName) {
		wrong("ServiceName", "want UTF-8 of at most %d bytes", maxAttributeValue)
	}
	if n := len(o.ResourceAttributes); n > maxAttributes {
		wrong("ResourceAttributes", "are %d: want at most %d", n, maxAttributes)
	}
	if strings.ContainsAny(o.TenantID, "\r\n\x00") {
		wrong("TenantID", "holds control characters: take them out")
	}
	for _, name := range slices.Sorted(maps.Keys(o.ResourceAttributes)) {
		if err := checkAttribute(name, o.ResourceAttributes[name]); err != nil {
			wrong("ResourceAttributes", "%w", err)
		}
	}
	return errors.Join(append(errs, httpclient.Check(o.HTTP))...)
}

// attributeName is what the name of an attribute may be. Anything else may be a secret that
// slipped into the place of a name.
var attributeName = regexp.MustCompile(`^[-a-zA-Z0-9_.]{1,128}$`)

// checkAttribute says what is wrong with an attribute of the resource.
func checkAttribute(name, value string) error {
	if !attributeName.MatchString(name) {
		return errors.New("(not a name): want letters, digits, dots, dashes and underscores, at most 128, such as deployment.environment.name")
	}
	shown := strconv.Quote(name)
	switch {
	case name == attributeService:
		return fmt.Errorf("%s has an option of its own, ServiceName: set that", shown)
	case value == "":
		return fmt.Errorf("%s has no value: give it one or take it out", shown)
	case len(value) > maxAttributeValue || !utf8.ValidString(value):
		return fmt.Errorf("%s: want a value in UTF-8 of at most %d bytes", shown, maxAttributeValue)
	}
	return nil
}

// logsPath is where a receiver takes logs, below its base.
const logsPath = "/v1/logs"

// publicPaths hold no secret: those of a collector, of Loki and of VictoriaLogs.
var publicPaths = []string{logsPath, "/otlp" + logsPath, "/insert/opentelemetry" + logsPath}

// Endpoint returns the address to which requests are sent. It takes an address as New does.
// The error does not quote the address.
func Endpoint(address string) (*url.URL, error) {
	u, err := httpclient.Root(address, "http://collector:4318")
	if err != nil {
		return nil, err
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), logsPath) + logsPath
	u.RawPath = ""
	return u, nil
}
