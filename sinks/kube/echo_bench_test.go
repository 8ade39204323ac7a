package kube_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/sinks/kube"
)

// echo answers a create with the object that was sent.
type echo struct{}

func (echo) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	return &http.Response{
		StatusCode: http.StatusCreated, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), Request: r,
	}, err
}

// What the sink adds to its client, without a server.
func BenchmarkEcho(b *testing.B) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		b.Fatal(err)
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1alpha1.GroupVersion.WithKind("AuditEvent"), meta.RESTScopeNamespace)
	c, err := client.New(&rest.Config{Host: "http://127.0.0.1", Transport: echo{}, QPS: -1}, client.Options{Scheme: scheme, Mapper: mapper})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	sink := kube.Sink{Client: c, Component: "broker"}
	make := fromBuilders["CredentialIssued"]
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			ae := make("default")
			ae.Name = fmt.Sprintf("e-%d", i)
			if err := c.Create(ctx, ae); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sink", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if err := sink.Write(ctx, make("default")); err != nil {
				b.Fatal(err)
			}
		}
	})
}
