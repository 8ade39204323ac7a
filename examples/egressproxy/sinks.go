package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/kube"
	auditlog "github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/loki"
)

// openers open each destination for a proxy that serves.
var openers = map[string]func(options) (auditing.Sink, error){
	"log": func(options) (auditing.Sink, error) {
		return auditlog.Stdout(auditlog.Options{Component: component}), nil
	},
	"kube": func(options) (auditing.Sink, error) {
		config, err := ctrl.GetConfig()
		if err != nil {
			return nil, fmt.Errorf("finding the API server: %w", err)
		}
		c, err := kubeClient(config)
		return kube.Sink{Client: c, Component: component}, err
	},
	"loki": func(o options) (auditing.Sink, error) {
		if o.lokiURL == "" {
			return nil, errors.New("where is Loki? Say so with -loki-url")
		}
		return loki.New(o.lokiURL, loki.Options{Component: component, TenantID: o.lokiTenant})
	},
}

func sinkNames() []string { return slices.Sorted(maps.Keys(openers)) }

func openSink(o options) (auditing.Sink, error) {
	open, ok := openers[o.sink]
	if !ok {
		return nil, fmt.Errorf("unknown sink %q: one of %s", o.sink, strings.Join(sinkNames(), ", "))
	}
	if o.allow == "" {
		return nil, errors.New("nothing may be reached: name hosts with -allow")
	}
	return open(o)
}

func kubeClient(config *rest.Config) (client.Client, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // 5 requests a second is what client-go allows a config that says nothing
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}
