package webhook_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"syscall"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/webhook"
)

// decoded decodes the value of a header of the binary mode.
func decoded(value string) (string, error) { return url.PathUnescape(value) }

func TestConformance(t *testing.T) {
	for _, mode := range []webhook.Mode{webhook.ModeStructured, webhook.ModeBinary, webhook.ModeBatch} {
		t.Run(string(mode), func(t *testing.T) {
			opts := webhook.Options{Mode: mode, Level: auditing.LevelAcknowledged, Secrets: secrets}
			m := &memory{}
			address := serve(t, m.ServeHTTP)
			sinktest.Run(t, sinktest.Harness{
				New: func(context.Context) (sinktest.Subject, error) {
					sink, err := webhook.New(address, opts)
					return sinktest.Subject{
						Sink:   sink,
						Stored: func(context.Context) ([]v1alpha1.AuditEvent, error) { return m.stored() },
						Again:  func(context.Context) (auditing.Sink, error) { return webhook.New(address, opts) },
					}, err
				},
				Failing: func(ctx context.Context) (sinktest.Fault, error) {
					sink, err := webhook.New(nobody(ctx, t), opts)
					return sinktest.Fault{Sink: sink, Caused: func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }}, err
				},
				Hanging: func(context.Context) (sinktest.Fault, error) { return hanging(opts) },
			})
		})
	}
}

// nobody returns an address at which nobody listens.
func nobody(ctx context.Context, t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// hanging returns a sink that writes to a receiver which does not answer before its release.
func hanging(opts webhook.Options) (sinktest.Fault, error) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
			w.WriteHeader(http.StatusNoContent)
		case <-r.Context().Done():
		}
	}))
	sink, err := webhook.New(server.URL, opts)
	return sinktest.Fault{Sink: sink, Release: sync.OnceFunc(func() { close(release); server.Close() })}, err
}
