package lokiclient

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-kit/kit/log"
	"github.com/grafana/loki-client-go/loki"
	"github.com/grafana/loki-client-go/pkg/backoff"
	"github.com/grafana/loki-client-go/pkg/urlutil"
	promconfig "github.com/prometheus/common/config"
)

// Options say how events are labelled and how the client sends them. The zero
// value is valid; its numbers are the client's own defaults.
type Options struct {
	// Component is stamped on every event, as its label paddock.dev/component and
	// as the stream's label component. Empty leaves what the event says. It must
	// be a Kubernetes label value.
	Component string

	// ServiceName is the value of the label service_name. "audit" when empty.
	ServiceName string

	// TenantID is sent as X-Scope-OrgID. Empty for a Loki without tenants.
	TenantID string

	// HTTP configures authentication, TLS, proxy and headers. FollowRedirects is
	// refused: another host could confirm events that it does not store.
	HTTP promconfig.HTTPClientConfig

	// BatchWait is how long the client gathers events before it sends them: so
	// long they are in memory only, whatever Loki does. 1 s when 0.
	BatchWait time.Duration

	// BatchBytes bounds the lines of a request. 1 MiB when 0.
	BatchBytes int

	// Timeout bounds one attempt to send a batch. 10 s when 0.
	Timeout time.Duration

	// MinBackoff and MaxBackoff bound the pause between attempts, which doubles.
	// 500 ms and 5 min when 0.
	MinBackoff, MaxBackoff time.Duration

	// MaxRetries is after how many attempts a batch is dropped. 10 when 0, which
	// takes eight to seventeen minutes; all that time no Write returns nil.
	MaxRetries int

	// Logger takes what the client says about its retries and drops; nil for
	// nobody. Close tells the last of it either way.
	Logger log.Logger
}

const (
	defaultServiceName = "audit"
	pushPath           = "/loki/api/v1/push"
)

// config returns the client's own configuration.
func (o Options) config(address string) (loki.Config, error) {
	push, err := endpoint(address)
	if err != nil {
		return loki.Config{}, err
	}
	c := loki.Config{
		URL:       urlutil.URLValue{URL: push},
		BatchWait: cmp.Or(o.BatchWait, loki.BatchWait),
		BatchSize: cmp.Or(o.BatchBytes, loki.BatchSize),
		Client:    o.HTTP,
		BackoffConfig: backoff.BackoffConfig{
			MinBackoff: cmp.Or(o.MinBackoff, loki.MinBackoff),
			MaxBackoff: cmp.Or(o.MaxBackoff, loki.MaxBackoff),
			MaxRetries: cmp.Or(o.MaxRetries, loki.MaxRetries),
		},
		Timeout:  cmp.Or(o.Timeout, loki.Timeout),
		TenantID: o.TenantID,
	}
	for name, number := range map[string]int64{
		"BatchWait": int64(c.BatchWait), "BatchBytes": int64(c.BatchSize), "Timeout": int64(c.Timeout),
		"MinBackoff": int64(c.BackoffConfig.MinBackoff), "MaxBackoff": int64(c.BackoffConfig.MaxBackoff),
		"MaxRetries": int64(c.BackoffConfig.MaxRetries),
	} {
		if number < 0 {
			err = errors.Join(err, fmt.Errorf("%s: must not be negative", name))
		}
	}
	if o.HTTP.FollowRedirects {
		err = errors.Join(err, errors.New("HTTP.FollowRedirects: is true: set it to false, for another host could confirm events that it does not store"))
	}
	return c, err
}

// endpoint returns the address of the push API from that of Loki's root, of a
// path that a gateway puts before it, or of the push API itself.
func endpoint(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil: // its text may quote a password
		return nil, errors.New("the URL cannot be parsed: want one like http://loki:3100")
	case u.User != nil:
		return nil, errors.New("the URL holds a user name or password: set Options.HTTP.BasicAuth instead")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("the URL is not one of a Loki: want one like http://loki:3100")
	}
	root := strings.TrimSuffix(strings.TrimRight(u.Path, "/"), pushPath)
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: root + pushPath}, nil
}
