package loki

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
)

// Options say how events are labelled and sent. The zero value is valid.
type Options struct {
	// Server is what stands behind the address: ServerLoki, when empty, or
	// ServerVictoriaLogs. They take the same pushes and promise different things.
	Server Server

	// Level is what nil from Write promises: auditing.LevelAcknowledged that the
	// server keeps the event whatever happens to its process, or
	// auditing.LevelAccepted that it has answered. When 0 it is
	// LevelAcknowledged for Loki, whose answer says so, and LevelAccepted for
	// VictoriaLogs, whose answer does not: there LevelAcknowledged makes each
	// Write wait until the server's disk has the event (see ServerVictoriaLogs).
	Level auditing.Level

	// Oldest and Newest are how long before and after now the server keeps what
	// it is sent. Write refuses an event beyond them, with ClassPermanent, before
	// it is sent; a margin of a minute, and for Oldest of PushTimeout as well, is
	// left for clocks and for the push. For a server that drops such an entry and
	// confirms it all the same.
	// For VictoriaLogs 7 and 2 days when 0, its own defaults; Check compares them
	// with the server's flags. For Loki no bound when 0: it says itself what it
	// does not take, and such an event is stored as a late one.
	Oldest, Newest time.Duration

	// Component is stamped on every event, as its label paddock.dev/component and
	// as the stream's label component. Empty leaves what the event says. It must
	// be a Kubernetes label value.
	Component string

	// ServiceName is the value of the label service_name. "audit" when empty.
	ServiceName string

	// Labels are further labels of every stream: a cluster, a region. Few and
	// with few values, for each combination is a stream. At most 12, so that with
	// component, namespace and late there are Loki's 15; names of at most 1,024
	// bytes and values of at most 2,048, which are Loki's limits as well.
	Labels map[string]string

	// TenantID is sent as X-Scope-OrgID. Empty for a server without tenants, or
	// behind a gateway that sets it. VictoriaLogs takes numbers only, such as 12
	// or 12:34.
	TenantID string

	// HTTP configures authentication, TLS, proxy and headers with the keys that
	// Prometheus and Grafana's agents have: basic_auth, authorization with
	// credentials_file (read again when it changes), oauth2, tls_config,
	// proxy_url. The zero value is plain HTTP/1.1 without redirects.
	HTTP promconfig.HTTPClientConfig

	// MaxInFlight bounds the pushes under way at once, over all streams. 8 when 0.
	MaxInFlight int

	// MaxPendingBytes bounds the memory of events that wait for their push, as
	// encoded. 16 MiB when 0, at least 2 MiB. A writer for whom there is no room
	// waits for it, as long as its context lets it.
	MaxPendingBytes int64

	// MaxLineBytes bounds a line, in bytes; a longer one is shortened visibly.
	// 255 KiB when 0, just under Loki's default of 256 KiB (max_line_size). From
	// 16 KiB to 512 KiB.
	MaxLineBytes int

	// PushTimeout bounds one push, and how long a VictoriaLogs may not say what has
	// reached its disk. 10 s when 0: Loki itself gives its ingesters 5 s.
	PushTimeout time.Duration

	// ProveEvery is how often Loki is asked to prove that it does not merely say
	// yes: a Loki that an operator has told to drop what it is sent can do so
	// with the answer for success (block_ingestion_status_code: 200). The proof
	// is an entry of the year 2262, which Loki has to refuse; it counts there as
	// one discarded sample, too_far_in_future. Asked once a stream before its
	// first push and then after this time. 1 minute when 0; negative for never,
	// which a store needs that speaks Loki's protocol but takes any timestamp.
	// Never for VictoriaLogs, which confirms such an entry too.
	ProveEvery time.Duration

	// Registerer takes the metrics paddock_audit_loki_*. nil for none. Several
	// sinks may share one.
	Registerer prometheus.Registerer
}

const (
	defaultServiceName = "audit"
	defaultMaxInFlight = 8
	defaultMaxPending  = 16 << 20
	minMaxPending      = 2 << 20
	defaultMaxLine     = 255 << 10
	minMaxLine         = 16 << 10
	maxMaxLine         = 512 << 10
	defaultPushTimeout = 10 * time.Second
	defaultProveEvery  = time.Minute

	// maxPushBytes bounds a push before compression. Loki answers 429 for ever to
	// more than its burst (6 MiB) and 500 for ever to more than its gRPC limit
	// (4 MiB).
	maxPushBytes = 1 << 20

	// Loki's limits on labels: max_label_names_per_series, which does not count
	// service_name, max_label_name_length and max_label_value_length.
	maxLabels     = 15
	maxLabelName  = 1024
	maxLabelValue = 2048
)

const (
	labelServiceName = "service_name"
	labelComponent   = "component"
	labelNamespace   = "namespace"
	labelLate        = "late"
)

const pushPath = "/loki/api/v1/push"

func (o Options) withDefaults() Options {
	o = o.withServerDefaults()
	setDefault(&o.ServiceName, defaultServiceName)
	setDefault(&o.MaxInFlight, defaultMaxInFlight)
	setDefault(&o.MaxPendingBytes, defaultMaxPending)
	setDefault(&o.MaxLineBytes, defaultMaxLine)
	setDefault(&o.PushTimeout, defaultPushTimeout)
	setDefault(&o.ProveEvery, defaultProveEvery)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// validate names everything that is wrong. It never quotes a secret.
func (o Options) validate() error {
	var errs []error
	if o.MaxInFlight < 1 {
		errs = append(errs, errors.New("Options.MaxInFlight: must be at least 1"))
	}
	if o.MaxPendingBytes < minMaxPending {
		errs = append(errs, fmt.Errorf("Options.MaxPendingBytes: must be at least %d", minMaxPending))
	}
	if o.MaxLineBytes < minMaxLine || o.MaxLineBytes > maxMaxLine {
		errs = append(errs, fmt.Errorf("Options.MaxLineBytes: must be from %d to %d", minMaxLine, maxMaxLine))
	}
	if o.PushTimeout < 0 {
		errs = append(errs, errors.New("Options.PushTimeout: must not be negative"))
	}
	if strings.ContainsAny(o.TenantID, "\r\n\x00") {
		errs = append(errs, errors.New("Options.TenantID: must not contain control characters"))
	}
	errs = append(errs, o.validateServer(), o.validateLabels())
	http := o.HTTP
	if err := http.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("Options.HTTP: %w", err))
	}
	return errors.Join(errs...)
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func (o Options) validateLabels() error {
	var errs []error
	const own = 3 // component, namespace and late
	if n := len(o.Labels); n > maxLabels-own {
		errs = append(errs, fmt.Errorf("Options.Labels: %d, at most %d: Loki takes %d with those set here", n, maxLabels-own, maxLabels))
	}
	if len(o.ServiceName) > maxLabelValue {
		errs = append(errs, fmt.Errorf("Options.ServiceName: %d bytes, at most %d", len(o.ServiceName), maxLabelValue))
	}
	for name, value := range o.Labels {
		switch {
		case len(name) > maxLabelName || !labelName.MatchString(name):
			errs = append(errs, fmt.Errorf("Options.Labels: %.40q: a name is letters, digits and underscores, at most %d", name, maxLabelName))
		case strings.HasPrefix(name, "__"):
			errs = append(errs, fmt.Errorf("Options.Labels: %q: names with two underscores in front are Loki's own", name))
		case name == labelServiceName:
			errs = append(errs, errors.New("Options.Labels: service_name: set Options.ServiceName"))
		case name == labelComponent, name == labelNamespace, name == labelLate:
			errs = append(errs, fmt.Errorf("Options.Labels: %q is set from the event", name))
		case len(value) > maxLabelValue:
			errs = append(errs, fmt.Errorf("Options.Labels: %q: %d bytes of value, at most %d", name, len(value), maxLabelValue))
		}
	}
	return errors.Join(errs...)
}

// endpoint returns the address of the server from that of its root, of a path
// that a gateway puts before it, or of the push API.
func endpoint(address string, server Server) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		// url.Error quotes the address, which may hold a password.
		return nil, errors.New("the URL cannot be parsed: want one like http://loki:3100")
	case u.User != nil:
		return nil, errors.New("the URL holds a user name or password: set Options.HTTP.BasicAuth instead")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, errors.New("the URL is not an http or https one: want one like http://loki:3100")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the URL has a query or a fragment: want one like http://loki:3100")
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), pushPath)
	u.Path = strings.TrimSuffix(u.Path, server.prefix())
	u.RawPath = ""
	return u, nil
}
