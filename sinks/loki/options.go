package loki

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/httpclient"
	"github.com/paddock-dev/audit/internal/lokinames"
	"github.com/paddock-dev/audit/internal/options"
)

// Options say how events are labelled and sent. The zero value is valid.
type Options struct {
	// Server is what stands behind the address: ServerLoki, when empty, or
	// ServerVictoriaLogs. They take the same pushes and promise different things.
	Server Server `yaml:"server" default:"loki" enum:"loki,victorialogs" doc:"what stands behind the address"`

	// Level is what nil from Write promises: auditing.LevelAccepted that the server
	// has answered, auditing.LevelAcknowledged that it keeps the event whatever
	// happens to its process. LevelAcknowledged when 0 for Loki, whose answer
	// promises that, and LevelAccepted for VictoriaLogs, where Write has to wait for
	// more than the answer (see ServerVictoriaLogs).
	Level auditing.Level `yaml:"level" enum:"accepted,acknowledged" doc:"what a write promises; acknowledged where it is left out, but accepted for victorialogs, where acknowledged waits for the disk of the server"`

	// Oldest is how old an event may be for the server to keep it. Write refuses an
	// older one with ClassPermanent, for a server that would confirm and drop it. A
	// margin of a minute and of Timeout is left, for clocks and for the push. When 0
	// it is 7 days for VictoriaLogs, that server's default; Check compares it with
	// the server's flags. For Loki there is no bound when 0: Loki says itself what
	// it does not take, and such an event is stored as a late one.
	Oldest time.Duration `yaml:"oldest" max:"876000h" doc:"how old an event the server keeps; for victorialogs 168h where it is left out"`

	// Newest is the same for events in the future, with a margin of a minute. When 0
	// it is 2 days for VictoriaLogs, and no bound for Loki.
	Newest time.Duration `yaml:"newest" max:"876000h" doc:"how far ahead an event the server keeps; for victorialogs 48h where it is left out"`

	// Component is stamped on every event, as its label paddock.dev/component and
	// as the stream's label component. Empty leaves what the event says. It must
	// be a Kubernetes label value.
	Component string

	// ServiceName is the value of the label service_name. "audit" when empty.
	ServiceName string `yaml:"serviceName" default:"audit" doc:"value of the label service_name"`

	// Labels are further labels of every stream: a cluster, a region. Few and
	// with few values, for each combination is a stream. At most 12, so that with
	// component, namespace and late there are Loki's 15; names of at most 1,024
	// bytes and values of at most 2,048, which are Loki's limits as well.
	Labels map[string]string `yaml:"labels" doc:"further labels of every stream, few and with few values"`

	// TenantID is sent as X-Scope-OrgID. Empty for a server without tenants, or
	// behind a gateway that sets it. VictoriaLogs takes numbers only, such as 12
	// or 12:34.
	TenantID string `yaml:"tenantID" doc:"tenant, sent as X-Scope-OrgID; numbers for victorialogs, such as \"12\" or \"12:34\""`

	// HTTP configures authentication, TLS, proxy and headers with the keys that
	// Prometheus and Grafana's agents have: basic_auth, authorization with
	// credentials_file (read again when it changes), oauth2, tls_config,
	// proxy_url. The zero value is plain HTTP/1.1. follow_redirects is refused: the
	// page at the end of a redirect may answer 204 to anybody, and it would get the
	// tenant and the headers. Nor is a redirect of oauth2's token_url followed to
	// another host, unless a proxy is between. Prometheus' own decoder sets it where a file does not
	// name it; this library's does not.
	HTTP promconfig.HTTPClientConfig `yaml:"http" doc:"authentication, TLS, proxy and headers, with the keys of Prometheus; secrets belong into the keys that end in _file"`

	// MaxInFlight bounds the pushes under way at once, over all streams: 1 to
	// 10,000. 8 when 0.
	MaxInFlight int `yaml:"maxInFlight" default:"8" min:"1" max:"10000" doc:"pushes under way at once"`

	// MaxPendingBytes bounds the memory of events that wait for their push, as
	// encoded: 2 MiB to 1 TiB. 16 MiB when 0. A writer for whom there is no room
	// waits for it, as long as its context lets it.
	MaxPendingBytes int64 `yaml:"maxPendingBytes" default:"16777216" min:"2097152" max:"1099511627776" doc:"memory of events that wait for their push"`

	// MaxLineBytes bounds a line, in bytes; a longer one is shortened visibly.
	// 255 KiB when 0, just under Loki's default of 256 KiB (max_line_size). From
	// 16 KiB to 512 KiB.
	MaxLineBytes int `yaml:"maxLineBytes" default:"261120" min:"16384" max:"524288" doc:"longer lines are shortened visibly"`

	// Timeout bounds one push, and how long a VictoriaLogs may not say what has
	// reached its disk: 1 ms to 10 minutes. 10 s when 0: Loki itself gives its
	// ingesters 5 s.
	Timeout time.Duration `yaml:"timeout" default:"10s" min:"1ms" max:"10m" doc:"how long one push may take"`

	// RefusalGrace is how long a server or a gateway may refuse the sink itself, with
	// 401, 403, 404, 407, a redirect or the like, before such an answer is of
	// auditing.ClassPermanent, for which a spool makes a dead letter of each event. Until
	// then it is transient, because a password may be being exchanged, or a gateway be
	// starting. The time begins with the first such answer. An answer that lets the sink
	// in (204, or 400, 413 or 422, which refuse events) ends it. 10 minutes when 0, at
	// most 100 years; negative for permanent at once.
	RefusalGrace time.Duration `yaml:"refusalGrace" default:"10m" max:"876000h" off:"true" doc:"how long answers such as 401, 403, 404, 407 and redirects are tried again by a retry or a spool before they count as permanent; negative for not at all"`

	// ProveEvery is how often each stream's Loki has to prove that it stores what it
	// confirms: an operator can tell it to drop what it is sent and to answer with
	// success (block_ingestion_status_code: 200). The proof is an entry of the year
	// 2262, which Loki has to refuse; it counts there as one discarded sample,
	// too_far_in_future. At most 24 h. 1 minute when 0; negative for never, for a
	// server that takes any timestamp. Never for VictoriaLogs, which does.
	ProveEvery time.Duration `yaml:"proveEvery" max:"24h" off:"true" doc:"how often Loki has to prove that it stores what it is sent, 1m where it is left out; negative for never; not for victorialogs"`

	// Registerer takes the metrics paddock_audit_loki_*. nil for none. Several
	// sinks may share one.
	Registerer prometheus.Registerer
}

// Loki's limits on labels. maxLabels is a number of labels, without service_name; the
// others are bytes.
const (
	maxLabels     = 15   // max_label_names_per_series
	maxLabelName  = 1024 // max_label_name_length
	maxLabelValue = 2048 // max_label_value_length
)

// StatedLevel is the level of a Sink with these options: Level, or its default
// for the server.
func (o Options) StatedLevel() auditing.Level {
	o.setServerDefaults()
	return o.Level
}

// setServerDefaults sets the fields whose defaults differ between the servers.
func (o *Options) setServerDefaults() {
	if o.Server == ServerVictoriaLogs {
		o.Level = cmp.Or(o.Level, auditing.LevelAccepted)
		o.Oldest = cmp.Or(o.Oldest, 7*24*time.Hour) // its -retentionPeriod
		o.Newest = cmp.Or(o.Newest, 2*24*time.Hour) // its -futureRetention
		o.ProveEvery = cmp.Or(o.ProveEvery, -1)
	}
	o.Level = cmp.Or(o.Level, auditing.LevelAcknowledged)
	o.ProveEvery = cmp.Or(o.ProveEvery, time.Minute)
}

// Validate returns an error that joins all that is wrong with the options. It quotes
// no secret.
func (o Options) Validate() error { return o.complete() }

// complete sets all defaults, and returns what Validate does.
func (o *Options) complete() error {
	err := options.Complete(o)
	o.setServerDefaults()
	errs := []error{err}
	wrong := func(field, format string, args ...any) {
		errs = append(errs, options.At(*o, field, format, args...))
	}
	if o.Level != auditing.LevelAccepted && o.Level != auditing.LevelAcknowledged {
		wrong("Level", "is %s: want accepted or acknowledged", o.Level)
	}
	if strings.ContainsAny(o.TenantID, "\r\n\x00") {
		wrong("TenantID", "holds control characters: take them out")
	}
	if len(o.ServiceName) > maxLabelValue {
		wrong("ServiceName", "has %d bytes: want at most %d", len(o.ServiceName), maxLabelValue)
	}
	const own = 3 // component, namespace and late
	if n := len(o.Labels); n > maxLabels-own {
		wrong("Labels", "are %d: want at most %d, for Loki takes %d with those set here", n, maxLabels-own, maxLabels)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Labels)) {
		if err := o.Server.checkLabel(name, o.Labels[name]); err != nil {
			wrong("Labels", "%w", err)
		}
	}
	if o.Server == ServerVictoriaLogs {
		if o.ProveEvery > 0 {
			wrong("ProveEvery", "VictoriaLogs confirms any timestamp, so it proves nothing: leave it out")
		}
		if o.TenantID != "" && !numbers.MatchString(o.TenantID) {
			wrong("TenantID", "VictoriaLogs takes numbers, such as 12 or 12:34")
		}
		if 0 <= o.Oldest && o.Oldest <= o.margin() {
			wrong("Oldest", "is too short: want more than the margin of %s", o.margin())
		}
		if 0 <= o.Newest && o.Newest <= time.Minute {
			wrong("Newest", "is too short: want more than the margin of 1m")
		}
	}
	return errors.Join(append(errs, httpclient.Check(o.HTTP))...)
}

// harmless is a name that an error may quote. Anything else may be a secret that
// slipped into the place of a name.
var harmless = regexp.MustCompile(`^[-a-zA-Z0-9_.]{1,63}$`)

// checkLabel says why the server would not take a label, or why it is not the user's
// to set.
func (s Server) checkLabel(name, value string) error {
	maxName, reserved := maxLabelName, "__"
	own := []string{lokinames.Component, lokinames.Namespace, lokinames.Late}
	if s == ServerVictoriaLogs {
		maxName, reserved = 128, "_" // it drops an entry with a longer name
		own = append(own, lokinames.Kind, lokinames.Decision, lokinames.Event, lokinames.Run, lokinames.EventTime)
		own = append(own, metadataFacts[:]...)
	}
	shown := "(not a name)"
	if harmless.MatchString(name) {
		shown = strconv.Quote(name)
	}
	switch {
	case len(name) > maxName || !model.LegacyValidation.IsValidLabelName(name):
		return fmt.Errorf("%s: want a name of letters, digits and underscores, at most %d bytes", shown, maxName)
	case strings.HasPrefix(name, reserved):
		return fmt.Errorf("%s: names that begin with %s are the server's own", shown, reserved)
	case name == lokinames.ServiceName:
		return fmt.Errorf("%s has an option of its own, ServiceName: set that", shown)
	case slices.Contains(own, name):
		return fmt.Errorf("%s is set from the event", shown)
	case len(value) > maxLabelValue:
		return fmt.Errorf("%s: has %d bytes of value: want at most %d", shown, len(value), maxLabelValue)
	}
	return nil
}

// Root returns the address of the server's root. It takes an address as New does: of the
// root, of the path that a gateway puts before the root, or of the push API. The error does not
// quote the address.
func Root(address string, server Server) (*url.URL, error) {
	u, err := httpclient.Root(address, "http://loki:3100")
	if err != nil {
		return nil, err
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), pushPath)
	if server == ServerVictoriaLogs {
		u.Path = strings.TrimSuffix(u.Path, victoriaPrefix)
	}
	u.Path, u.RawPath = cmp.Or(u.Path, "/"), ""
	return u, nil
}
