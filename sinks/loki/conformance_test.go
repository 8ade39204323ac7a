package loki_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

func TestConformance(t *testing.T) {
	l := permissive.get(t)
	dead := permissiveKilled(t)
	sinktest.Run(t, sinktest.Harness{
		Namespace: namespace(),
		New: func(context.Context) (sinktest.Subject, error) {
			sink, err := loki.New(l.URL, loki.Options{ServiceName: "conformance"})
			return sinktest.Subject{
				Sink:   sink,
				Stored: func(ctx context.Context) ([]v1alpha1.AuditEvent, error) { return events(ctx, l) },
				Records: func(ctx context.Context, name string) (n int, err error) {
					all, err := events(ctx, l)
					for i := range all {
						if all[i].Name == name {
							n++
						}
					}
					return n, err
				},
				Again: func(context.Context) (auditing.Sink, error) {
					return loki.New(l.URL, loki.Options{ServiceName: "conformance"})
				},
				Release: http.DefaultTransport.(*http.Transport).CloseIdleConnections, //nolint:forcetypeassert // of testenv's queries
			}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			sink, err := loki.New(dead, loki.Options{})
			return sinktest.Fault{Sink: sink, Caused: func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }}, err
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			return hanging(func(address string) (*loki.Sink, error) { return loki.New(address, loki.Options{ProveEvery: -1}) })
		},
	})
}

// hanging returns a sink that writes to a server which does not answer before its release.
func hanging(to func(address string) (*loki.Sink, error)) (sinktest.Fault, error) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
			w.WriteHeader(http.StatusNoContent)
		case <-r.Context().Done():
		}
	}))
	sink, err := to(server.URL)
	return sinktest.Fault{Sink: sink, Release: sync.OnceFunc(func() { close(release); server.Close() })}, err
}

// events reads back the events of the suite. An entry that Loki holds twice is returned
// twice.
func events(ctx context.Context, l *testenv.Loki) ([]v1alpha1.AuditEvent, error) {
	entries, err := l.Query(ctx, "", `{service_name="conformance"}`, time.Now().Add(-24*time.Hour), time.Now().Add(24*time.Hour), 0)
	if err != nil {
		return nil, err
	}
	found := make([]v1alpha1.AuditEvent, len(entries))
	for i, e := range entries {
		if err := json.Unmarshal([]byte(e.Line), &found[i]); err != nil {
			return nil, fmt.Errorf("a line that is no event: %w", err)
		}
	}
	return found, nil
}
