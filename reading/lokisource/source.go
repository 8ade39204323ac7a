package lokisource

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/internal/options"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/internal/logserver"
)

// Options say where events are and how they are asked for. The zero value is valid.
type Options struct {
	// ServiceName is the value of the label service_name. "audit" when empty.
	ServiceName string `yaml:"serviceName" default:"audit" doc:"value of the label service_name"`

	// Labels are further labels that the streams have, as in loki.Options.
	Labels map[string]string `yaml:"labels" doc:"further labels that the streams have"`

	// TenantID is sent as X-Scope-OrgID. Empty for a server without tenants, or behind a
	// gateway that sets it.
	TenantID string `yaml:"tenantID" doc:"tenant, sent as X-Scope-OrgID"`

	// HTTP configures authentication, TLS, proxy and headers with the keys of Prometheus,
	// as in loki.Options. follow_redirects is refused.
	HTTP promconfig.HTTPClientConfig `yaml:"http" doc:"authentication, TLS, proxy and headers, with the keys of Prometheus; secrets belong into the keys that end in _file"`

	// PageSize is how many entries one request asks for, 1 to 5,000, which is Loki's
	// default for the most that it answers. 5,000 when 0.
	PageSize int `yaml:"pageSize" default:"5000" min:"1" max:"5000" doc:"entries in a page"`

	// Timeout bounds one request: 1 ms to 10 minutes. 1 minute when 0.
	Timeout time.Duration `yaml:"timeout" default:"1m" min:"1ms" max:"10m" doc:"how long one request may take"`

	// Retention is how far back a query without Since reads: Loki answers only queries of
	// a limited length (max_query_length, 30d1h), so a longer time takes more of them. 2
	// years when 0.
	Retention time.Duration `yaml:"retention" default:"17520h" min:"1h" max:"876000h" doc:"how far back a query without a start reads"`

	// Ahead is how far ahead of the present, or of the time when it was sent, the time of
	// an event may be for it to be found. 31 days when 0.
	Ahead time.Duration `yaml:"ahead" default:"744h" min:"1h" max:"876000h" doc:"how far ahead of its sending the time of an event may be"`

	// Interval is the time between polls of Follow. 2 s when 0.
	Interval time.Duration `yaml:"interval" default:"2s" min:"10ms" max:"1h" doc:"time between polls"`

	// Overlap is how much a poll reads again, and so how late a regular event may be
	// stored, behind the time that it has, for Follow to find it. 1 minute when 0. Where a
	// spool stands in front of Loki, set it to the time for which that may hold events back.
	Overlap time.Duration `yaml:"overlap" default:"1m" min:"1s" max:"168h" doc:"how late an event may be stored for a poll to find it"`

	// LateOverlap is the same for the streams of late events, which every tenth poll reads.
	// At least 20 minutes, because an event that is stored under the time of sending is up
	// to 10 minutes behind. 24 h when 0.
	LateOverlap time.Duration `yaml:"lateOverlap" default:"24h" min:"20m" max:"8760h" doc:"the same for streams of late events"`
}

const (
	apiPath = "/loki/api/v1/query_range"
	maxPage = 5000 // Loki's default of max_entries_limit_per_query
)

// Source reads the events of one Loki. It is safe for concurrent use.
type Source struct{ server *logserver.Source }

var _ reading.Follower = (*Source)(nil)

// New returns a Source with this name for the Loki at address, such as "http://loki:3100":
// its root, the path that a gateway puts before it, or the whole address of query_range. It
// asks the server nothing. The error names every option that is wrong.
func New(name, address string, opts Options) (*Source, error) {
	if err := options.Complete(&opts); err != nil {
		return nil, fmt.Errorf("lokisource: invalid options: %w", err)
	}
	if err := logserver.CheckLabels(opts.Labels); err != nil {
		return nil, fmt.Errorf("lokisource: invalid options: Options.Labels: %w", err)
	}
	header := http.Header{}
	if opts.TenantID != "" {
		header.Set("X-Scope-OrgID", opts.TenantID)
	}
	s, err := logserver.New(logserver.Config{
		Name: name, Client: "paddock-audit-lokisource", Address: address, Path: apiPath, Tenant: opts.TenantID, Header: header, HTTP: opts.HTTP,
		PageSize: opts.PageSize, MaxPage: maxPage, Timeout: opts.Timeout, Retention: opts.Retention, Ahead: opts.Ahead,
		Interval: opts.Interval, Overlap: opts.Overlap, LateOverlap: opts.LateOverlap,
	}, dialect{serviceName: opts.ServiceName, labels: opts.Labels})
	if err != nil {
		return nil, fmt.Errorf("lokisource: invalid options: %w", err)
	}
	return &Source{s}, nil
}

// Name returns the name that New was given.
func (s *Source) Name() string { return s.server.Name }

// Read reads all pages, sorts the events, and yields them. What is stored while it reads
// may be among them or not. An event that Loki holds several times with the same content
// comes once.
func (s *Source) Read(ctx context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return s.server.Read(ctx, q)
}

// Follow reads what is stored, and then polls. See Options.Interval, Overlap and
// LateOverlap.
func (s *Source) Follow(ctx context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return s.server.Follow(ctx, q)
}
