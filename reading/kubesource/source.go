package kubesource

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/options"
	"github.com/paddock-dev/audit/internal/secrets"
	"github.com/paddock-dev/audit/internal/switching"
	"github.com/paddock-dev/audit/reading"
)

// Options say how events are read. The zero value is valid.
type Options struct {
	// PageSize is how many events one request asks for, 1 to 10,000. 500 when 0.
	PageSize int `yaml:"pageSize" default:"500" min:"1" max:"10000" doc:"events in a page"`
}

// Source reads the AuditEvents of one API server. It is safe for concurrent use, and has
// neither a goroutine nor a connection of its own while nothing reads.
type Source struct {
	name    string
	opts    Options
	rest    rest.Interface
	codec   runtime.ParameterCodec
	secrets *secrets.Secrets
}

var _ reading.Follower = (*Source)(nil)

// New returns a Source with this name for the API server of cfg, such as a manager's
// GetConfig(). It reads from the API server itself and never through a cache. client-go's
// default of 5 requests a second does not hold for it: a QPS that cfg sets does. New asks
// the server nothing.
func New(name string, cfg *rest.Config, opts Options) (*Source, error) {
	if err := options.Complete(&opts); err != nil {
		return nil, fmt.Errorf("kubesource: invalid options: %w", err)
	}
	if cfg == nil {
		return nil, errors.New("kubesource: the rest.Config is nil")
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("kubesource: %w", err)
	}
	client, err := newClient(cfg, scheme)
	if err != nil {
		return nil, fmt.Errorf("kubesource: making a client of the API server: %w", err)
	}
	return &Source{name: name, opts: opts, rest: client, codec: runtime.NewParameterCodec(scheme), secrets: &secrets.Secrets{}}, nil
}

func newClient(cfg *rest.Config, scheme *runtime.Scheme) (rest.Interface, error) {
	cfg = rest.CopyConfig(cfg)
	if cfg.QPS == 0 && cfg.RateLimiter == nil {
		cfg.QPS = -1
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = rest.DefaultKubernetesUserAgent()
	}
	cfg.Timeout = 0 // it would end a watch; each request has a time of its own
	cfg.WarningHandler = rest.NoWarnings{}
	cfg.APIPath, cfg.GroupVersion = "/apis", &v1alpha1.GroupVersion
	cfg.ContentType, cfg.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	cfg.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	cfg.Wrap(switching.Refuse)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return shortRefusals{next} })
	shared, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, err
	}
	// The end of a redirect would get the credentials.
	h := &http.Client{Transport: shared.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return rest.RESTClientForConfigAndClient(cfg, h)
}

// Name returns the name that New was given.
func (s *Source) Name() string { return s.name }

// Read lists the events, sorts them, and yields them. What is stored while it lists may
// be among them or not.
func (s *Source) Read(ctx context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return func(yield func(*reading.Record, error) bool) {
		sorter := &reading.Sorter{Source: s.name}
		defer sorter.Close()
		for _, ns := range namespaces(q) {
			l := listing{source: s, query: q, namespace: ns, sorter: sorter}
			if err := l.run(ctx); err != nil {
				yield(nil, err)
				return
			}
		}
		for r, err := range each(sorter) {
			if !yield(r, err) {
				return
			}
		}
	}
}

// namespaces returns the namespaces that are listed; "" for all.
func namespaces(q *reading.Query) []string {
	if len(q.Namespaces) == 0 {
		return []string{""}
	}
	all := slices.Sorted(slices.Values(q.Namespaces))
	return slices.DeleteFunc(slices.Compact(all), func(ns string) bool { return ns == "" }) // an object has a namespace
}

// each yields what was sorted, and an object that was listed again once.
func each(sorter *reading.Sorter) iter.Seq2[*reading.Record, error] {
	return func(yield func(*reading.Record, error) bool) {
		var last reading.Key
		for r, err := range sorter.Sorted() {
			if err == nil && r.Key() == last {
				continue
			}
			if err == nil {
				last = r.Key()
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
