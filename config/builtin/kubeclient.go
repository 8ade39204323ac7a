package builtin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/utils/dump"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/switching"
)

// open returns a client of the API server. It asks that nothing. The HTTP client is the one under it.
func (p KubePlace) open() (client.Client, *http.Client, error) {
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
	c, err := ClientFor(cfg, hc)
	return c, hc, err
}

// kinds are those that sinks write.
var kinds = map[schema.GroupVersionKind]meta.RESTScope{
	v1alpha1.GroupVersion.WithKind("AuditEvent"):                      meta.RESTScopeNamespace,
	corev1.SchemeGroupVersion.WithKind("ConfigMap"):                   meta.RESTScopeNamespace,
	corev1.SchemeGroupVersion.WithKind("ServiceAccount"):              meta.RESTScopeNamespace,
	authenticationv1.SchemeGroupVersion.WithKind("SelfSubjectReview"): meta.RESTScopeRoot,
}

// ClientFor returns a client that knows all that sinks write to an API server, for WithKubeClient. It makes no
// discovery: a request for it that the server swallows would wedge the client for ever, as it has no timeout and every
// write waits for it. hc is an HTTP client of cfg; one is made when it is nil.
func ClientFor(cfg *rest.Config, hc *http.Client) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme), authenticationv1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	for kind, scope := range kinds {
		mapper.Add(kind, scope)
	}
	return client.New(cfg, client.Options{Scheme: scheme, Mapper: mapper, HTTPClient: hc})
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
