package kube_test

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
)

func TestConformance(t *testing.T) {
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	sinktest.Run(t, sinktest.Harness{
		Namespace: ns,
		New: func(context.Context) (sinktest.Subject, error) {
			c, release := ownClient(t, server.Config)
			return sinktest.Subject{
				Sink: kube.Sink{Client: c, Component: "broker"},
				Stored: func(ctx context.Context) ([]v1alpha1.AuditEvent, error) {
					var events v1alpha1.AuditEventList
					err := c.List(ctx, &events, client.InNamespace(ns))
					return events.Items, err
				},
				Again: func(context.Context) (auditing.Sink, error) {
					return kube.Sink{Client: c, Component: "broker"}, nil
				},
				Release: release,
			}, nil
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			c, release := ownClient(t, server.ConfigFor("system:serviceaccount:"+ns+":nobody"))
			return sinktest.Fault{Sink: kube.Sink{Client: c}, Caused: apierrors.IsForbidden, Release: release}, nil
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			return sinktest.Fault{Sink: kube.Sink{Client: offlineClient(t, silent(t))}}, nil
		},
	})
}

// ownClient is a client whose idle connections, and their goroutines, end with release.
func ownClient(tb testing.TB, config *rest.Config) (c client.Client, release func()) {
	tb.Helper()
	hc, err := rest.HTTPClientFor(config)
	if err != nil {
		tb.Fatal(err)
	}
	return newClientWith(tb, config, client.Options{HTTPClient: hc}), hc.CloseIdleConnections
}
