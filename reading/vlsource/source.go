package vlsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"regexp"
	"strings"
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

	// TenantID is an account and a project, such as 12 or 12:34. 0:0 when empty.
	TenantID string `yaml:"tenantID" doc:"tenant, numbers such as \"12\" or \"12:34\""`

	// HTTP configures authentication, TLS, proxy and headers with the keys of Prometheus,
	// as in loki.Options. follow_redirects is refused.
	HTTP promconfig.HTTPClientConfig `yaml:"http" doc:"authentication, TLS, proxy and headers, with the keys of Prometheus; secrets belong into the keys that end in _file"`

	// PageSize is how many entries one request asks for, 1 to 20,000. 5,000 when 0.
	PageSize int `yaml:"pageSize" default:"5000" min:"1" max:"20000" doc:"entries in a page"`

	// Timeout bounds one request: 1 ms to 10 minutes. 1 minute when 0.
	Timeout time.Duration `yaml:"timeout" default:"1m" min:"1ms" max:"10m" doc:"how long one request may take"`

	// Interval is the time between polls of Follow. 2 s when 0.
	Interval time.Duration `yaml:"interval" default:"2s" min:"10ms" max:"1h" doc:"time between polls"`

	// Overlap is how much a poll reads again, and so how late an event may be stored, behind
	// the time that it has, for Follow to find it. It covers the seconds for which the server
	// does not show rows that it has confirmed. 1 minute when 0. Where a spool stands in front
	// of the server, set it to the time for which that may hold events back.
	Overlap time.Duration `yaml:"overlap" default:"1m" min:"1s" max:"168h" doc:"how late an event may be stored for a poll to find it"`
}

const (
	apiPath = "/select/logsql/query"
	maxPage = 20_000
	// century is far more than a server keeps.
	century = 100 * 365 * 24 * time.Hour
	// lateOverlap covers the 10 minutes by which a row under the time of sending is behind.
	lateOverlap = time.Hour
)

// Source reads the events of one VictoriaLogs. It is safe for concurrent use.
type Source struct{ server *logserver.Source }

var _ reading.Follower = (*Source)(nil)

// numbers matches a tenant: an account, or an account and a project.
var numbers = regexp.MustCompile(`^[0-9]{1,10}(:[0-9]{1,10})?$`)

// New returns a Source with this name for the VictoriaLogs at address, such as
// "http://victorialogs:9428": its root, the path that a gateway puts before it, or the
// whole address of /select/logsql/query. It asks the server nothing. The error names every option that is wrong.
func New(name, address string, opts Options) (*Source, error) {
	if err := options.Complete(&opts); err != nil {
		return nil, fmt.Errorf("vlsource: invalid options: %w", err)
	}
	if err := logserver.CheckLabels(opts.Labels); err != nil {
		return nil, fmt.Errorf("vlsource: invalid options: Options.Labels: %w", err)
	}
	header := http.Header{}
	if opts.TenantID != "" {
		if !numbers.MatchString(opts.TenantID) {
			return nil, errors.New("vlsource: invalid options: Options.TenantID: VictoriaLogs takes numbers, such as 12 or 12:34")
		}
		account, project, _ := strings.Cut(opts.TenantID, ":")
		header.Set("AccountID", account)
		header.Set("ProjectID", cmp.Or(project, "0"))
	}
	s, err := logserver.New(logserver.Config{
		Name: name, Client: "paddock-audit-vlsource", Address: address, Path: apiPath, Tenant: opts.TenantID, Header: header, HTTP: opts.HTTP,
		PageSize: opts.PageSize, MaxPage: maxPage, Timeout: opts.Timeout, Retention: century, Ahead: century,
		Interval: opts.Interval, Overlap: opts.Overlap, LateOverlap: lateOverlap,
	}, dialect{serviceName: opts.ServiceName, labels: opts.Labels})
	if err != nil {
		return nil, fmt.Errorf("vlsource: invalid options: %w", err)
	}
	return &Source{s}, nil
}

// Name returns the name that New was given.
func (s *Source) Name() string { return s.server.Name }

// Read reads all pages, sorts the events, and yields them. What is stored while it reads
// may be among them or not. An event that the server holds several times with the same content
// comes once.
func (s *Source) Read(ctx context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return s.server.Read(ctx, q)
}

// Follow reads what is stored, and then polls. See Options.Interval and
// Overlap.
func (s *Source) Follow(ctx context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return s.server.Follow(ctx, q)
}
