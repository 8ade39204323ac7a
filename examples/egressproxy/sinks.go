package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/examples/egressproxy/proxy"
	"github.com/paddock-dev/audit/sinks/kube"
	auditlog "github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/retry"
)

// openers open each destination for a proxy that serves.
var openers = map[string]func(options) (auditing.Sink, error){
	"log": func(options) (auditing.Sink, error) {
		return auditlog.Stdout(auditlog.Options{Component: proxy.Component}), nil
	},
	"kube": func(options) (auditing.Sink, error) {
		cfg, err := ctrl.GetConfig()
		if err != nil {
			return nil, fmt.Errorf("finding the API server: %w", err)
		}
		c, err := kubeClient(cfg)
		return kube.Sink{Client: c, Component: proxy.Component}, err
	},
	"loki": func(o options) (auditing.Sink, error) {
		if o.lokiURL == "" {
			return nil, errors.New("where is Loki, or VictoriaLogs? Say so with -loki-url")
		}
		lake, err := loki.New(o.lokiURL, loki.Options{
			Server: loki.Server(o.lokiServer), Oldest: o.lokiOldest, Component: proxy.Component, TenantID: o.lokiTenant,
		})
		if err != nil {
			return nil, err
		}
		return retry.New(lake, retry.Options{}) // a push that fails is not made again by itself
	},
}

func sinkNames() []string { return slices.Sorted(maps.Keys(openers)) }

// openSink opens what the options name, and returns what closes it.
func openSink(ctx context.Context, o options, reg prometheus.Registerer) (auditing.Sink, func(context.Context) error, error) {
	if o.allow == "" {
		return nil, nil, errors.New("nothing may be reached: name hosts with -allow")
	}
	if o.config != "" {
		return openConfigured(ctx, o.config, reg)
	}
	open, ok := openers[o.sink]
	if !ok {
		return nil, nil, fmt.Errorf("unknown sink %q: one of %s", o.sink, strings.Join(sinkNames(), ", "))
	}
	sink, err := open(o)
	return sink, func(ctx context.Context) error { return auditing.Close(ctx, sink) }, err
}

// openConfigured takes the sink of this component from a file. Its onFailure
// applies as well: with open there, a denial that cannot be recorded stays a 403.
func openConfigured(ctx context.Context, path string, reg prometheus.Registerer) (auditing.Sink, func(context.Context) error, error) {
	trail, err := config.Open(ctx, path, builtin.Types(), config.Deps{Registerer: reg})
	if err != nil {
		return nil, nil, err
	}
	sink, err := trail.Lookup(proxy.Component)
	if err != nil {
		return nil, nil, errors.Join(err, trail.Close(ctx))
	}
	return sink, trail.Close, nil
}

func kubeClient(cfg *rest.Config) (client.Client, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1 // 5 requests a second is what client-go allows a config that says nothing
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return client.New(cfg, client.Options{Scheme: scheme})
}
