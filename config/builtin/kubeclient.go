package builtin

import (
	"fmt"
	"net/http"
	"net/url"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/utils/dump"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/internal/switching"
)

// open returns a client of the API server for objects of these kinds, which the functions add to its
// scheme. It asks the API server nothing. The HTTP client is that under it.
func (p KubePlace) open(kinds map[schema.GroupVersionKind]meta.RESTScope, add ...func(*runtime.Scheme) error) (client.Client, *http.Client, error) {
	cfg, err := p.RESTConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("finding the API server: %w", err)
	}
	cfg.Wrap(switching.Refuse)
	cfg.QPS = -1 // client-go allows 5 requests a second to a config that says nothing
	hc, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, nil, err
	}
	scheme := runtime.NewScheme()
	for _, to := range add {
		if err := to(scheme); err != nil {
			return nil, nil, err
		}
	}
	// A request for discovery that the server swallows would wedge the client for ever: it
	// has no timeout, and every write waits for it.
	mapper := meta.NewDefaultRESTMapper(nil)
	for kind, scope := range kinds {
		mapper.Add(kind, scope)
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme, Mapper: mapper, HTTPClient: hc})
	return c, hc, err
}

// identity has the content of the kubeconfig, and of the files that it names. client-go
// itself looks again at a token that it reads from a file.
func (p KubePlace) identity() string {
	cfg, err := p.RESTConfig()
	if err != nil {
		return ""
	}
	unread := rest.LoadTLSFiles(cfg)
	if cfg.BearerTokenFile != "" {
		cfg.BearerToken = ""
	}
	var proxy *url.URL
	if cfg.Proxy != nil {
		proxy, err = cfg.Proxy(&http.Request{URL: &url.URL{}})
	}
	cfg.Proxy, cfg.AuthConfigPersister = nil, nil // they are no part of the configuration, and print as addresses
	return dump.ForHash([]any{cfg, unread != nil, proxy, err != nil})
}
