package builtin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/sinks/loki"
)

type lokiSection struct {
	URL             string                      `yaml:"url" required:"true" doc:"the address of the server, such as http://loki:3100 or http://victorialogs:9428"`
	Server          string                      `yaml:"server" enum:"loki,victorialogs" doc:"what stands behind the address"`
	Level           string                      `yaml:"level" enum:"accepted,acknowledged" doc:"what a write promises; acknowledged where it is left out, but accepted for victorialogs, where acknowledged waits for the disk of the server"`
	Oldest          time.Duration               `yaml:"oldest" max:"876000h" doc:"how old an event the server keeps; for victorialogs 168h where it is left out"`
	Newest          time.Duration               `yaml:"newest" max:"876000h" doc:"how far ahead an event the server keeps; for victorialogs 48h where it is left out"`
	TenantID        string                      `yaml:"tenantID" doc:"tenant, sent as X-Scope-OrgID; numbers for victorialogs, such as \"12\" or \"12:34\""`
	ServiceName     string                      `yaml:"serviceName" doc:"value of the label service_name"`
	Labels          map[string]string           `yaml:"labels" doc:"further labels of every stream, few and with few values"`
	HTTP            promconfig.HTTPClientConfig `yaml:"http" doc:"authentication, TLS, proxy and headers, with the keys of Prometheus; secrets belong into the keys that end in _file"`
	MaxInFlight     int                         `yaml:"maxInFlight" min:"1" max:"10000" doc:"pushes under way at once"`
	MaxPendingBytes int64                       `yaml:"maxPendingBytes" min:"2097152" max:"1099511627776" doc:"memory of events that wait for their push"`
	MaxLineBytes    int                         `yaml:"maxLineBytes" min:"16384" max:"524288" doc:"longer lines are shortened visibly"`
	PushTimeout     time.Duration               `yaml:"pushTimeout" min:"1ms" max:"10m" doc:"how long one push may take"`
	ProveEvery      *time.Duration              `yaml:"proveEvery" max:"24h" doc:"how often Loki has to prove that it stores what it is sent, 1m where it is left out; 0s for never; not for victorialogs"`
}

func newLoki() config.Section {
	return &lokiSection{
		Server: string(loki.ServerLoki), ServiceName: "audit", MaxInFlight: 8, MaxPendingBytes: 16 << 20, MaxLineBytes: 255 << 10,
		PushTimeout: 10 * time.Second,
	}
}

func (s *lokiSection) options() loki.Options {
	o := loki.Options{
		Server: loki.Server(s.Server), Level: levels[s.Level], Oldest: s.Oldest, Newest: s.Newest, ServiceName: s.ServiceName, Labels: s.Labels, TenantID: s.TenantID, HTTP: s.HTTP, MaxInFlight: s.MaxInFlight,
		MaxPendingBytes: s.MaxPendingBytes, MaxLineBytes: s.MaxLineBytes, PushTimeout: s.PushTimeout,
	}
	if s.ProveEvery != nil {
		o.ProveEvery = *s.ProveEvery
		if o.ProveEvery == 0 {
			o.ProveEvery = -1
		}
	}
	return o
}

// levels are those that a file can ask for; the sink knows its default.
var levels = map[string]auditing.Level{"accepted": auditing.LevelAccepted, "acknowledged": auditing.LevelAcknowledged}

// Validate asks the sink itself, which connects to nothing, and what it does not
// look into before it is opened.
func (s *lokiSection) Validate() error {
	http := s.HTTP
	problems := config.At("http", errors.Join(http.Validate()))
	if err := http.TLSConfig.Validate(); err != nil {
		problems = errors.Join(problems, config.At("http.tls_config", err))
	}
	options := s.options()
	options.HTTP = promconfig.HTTPClientConfig{}
	sink, err := loki.New(s.URL, options)
	if err == nil {
		_ = sink.Close(context.Background()) // it holds nothing yet
		return problems
	}
	var many interface{ Unwrap() []error }
	if !errors.As(err, &many) {
		return errors.Join(problems, err)
	}
	for _, e := range flatten(many.Unwrap()) {
		name, text, _ := strings.Cut(strings.TrimPrefix(e.Error(), "Options."), ": ")
		key, known := keysOfOptions[name]
		if !known {
			key, text = "url", e.Error()
		}
		text = quoted.ReplaceAllString(inFile.Replace(text), "a name that is none")
		problems = errors.Join(problems, config.At(key, errors.New(text)))
	}
	return problems
}

// inFile names what the sink calls by the names of Go as the file calls it.
var inFile = strings.NewReplacer("Options.HTTP.BasicAuth", "http.basic_auth", "Options.ServiceName", "serviceName")

// quoted is what a message must not repeat: it does not look like a name.
var quoted = regexp.MustCompile(`"[^"]*[^"A-Za-z0-9_][^"]*"|""`)

var keysOfOptions = map[string]string{
	"Labels": "labels", "TenantID": "tenantID", "ServiceName": "serviceName", "Oldest": "oldest", "Newest": "newest", "ProveEvery": "proveEvery",
}

func flatten(errs []error) (all []error) {
	for _, err := range errs {
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			all = append(all, flatten(many.Unwrap())...)
		} else {
			all = append(all, err)
		}
	}
	return all
}

func (s *lokiSection) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "loki", Level: s.options().StatedLevel()}
}

func (s *lokiSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	options := s.options()
	options.Registerer = o.Registerer
	return loki.New(s.URL, options)
}

// Format keeps what may be secret out of every verb: Prometheus' Secret hides
// itself in YAML and JSON only.
func (s *lokiSection) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "loki section") }
