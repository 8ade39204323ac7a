package stagetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/loki"
)

// connections are the connections of one client. They are recorded so that all of them
// can be closed: a client closes only idle connections, and none that is being made.
type connections struct {
	mu     sync.Mutex
	open   []net.Conn
	closed bool
}

func (c *connections) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	c.open = append(c.open, conn)
	return conn, nil
}

func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conn := range c.open {
		_ = conn.Close()
	}
}

// kubeClient returns a client, and a function release that closes its connections.
func kubeClient(tb testing.TB, config *rest.Config, opts client.Options) (c client.Client, release func()) {
	tb.Helper()
	own := &connections{}
	config = rest.CopyConfig(config)
	config.Dial = own.dial
	opts.Scheme = runtime.NewScheme()
	if err := v1alpha1.AddToScheme(opts.Scheme); err != nil {
		tb.Fatal(err)
	}
	c, err := client.New(config, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return c, own.close
}

func objects(ctx context.Context, c client.Client, ns string) ([]v1alpha1.AuditEvent, error) {
	var events v1alpha1.AuditEventList
	err := c.List(ctx, &events, client.InNamespace(ns))
	return events.Items, err
}

func kubeHarness(t *testing.T, in Stage) sinktest.Harness {
	t.Helper()
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	return sinktest.Harness{
		Namespace: ns,
		New: func(context.Context) (sinktest.Subject, error) {
			c, release := kubeClient(t, server.Config, client.Options{})
			sink, err := in(kube.Sink{Client: c, Component: "broker"})
			return sinktest.Subject{
				Sink:    sink,
				Stored:  func(ctx context.Context) ([]v1alpha1.AuditEvent, error) { return objects(ctx, c, ns) },
				Again:   func(context.Context) (auditing.Sink, error) { return in(kube.Sink{Client: c, Component: "broker"}) },
				Release: release,
			}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			c, release := kubeClient(t, server.ConfigFor("system:serviceaccount:"+ns+":nobody"), client.Options{})
			sink, err := in(kube.Sink{Client: c})
			return sinktest.Fault{Sink: sink, Caused: apierrors.IsForbidden, Release: release}, err
		},
		Hanging: func(ctx context.Context) (sinktest.Fault, error) {
			silent, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0") // it accepts connections and never answers
			if err != nil {
				return sinktest.Fault{}, err
			}
			mapper := meta.NewDefaultRESTMapper(nil)
			mapper.Add(v1alpha1.GroupVersion.WithKind("AuditEvent"), meta.RESTScopeNamespace)
			c, release := kubeClient(t, &rest.Config{Host: "http://" + silent.Addr().String(), QPS: -1}, client.Options{Mapper: mapper})
			sink, err := in(kube.Sink{Client: c})
			return sinktest.Fault{Sink: sink, Release: func() { _ = silent.Close(); release() }}, err
		},
	}
}

const lokiService = "stage"

// The stand-in for Loki recognises repeats, as Loki does.
func lokiHarness(t *testing.T, in Stage) sinktest.Harness {
	t.Helper()
	server := testenv.NewLoki(t, testenv.LokiOptions{})
	return pushHarness(server.URL, loki.Options{ServiceName: lokiService}, in,
		func(ctx context.Context) ([]v1alpha1.AuditEvent, error) { return rows(ctx, server) })
}

// VictoriaLogs stores a repeat as a second row, and its readers fold equal rows.
func victoriaLogsHarness(t *testing.T, in Stage) sinktest.Harness {
	t.Helper()
	const century = 100 * 365 * 24 * time.Hour // as long as the shared server keeps rows
	server := testenv.SharedVictoriaLogs(t)
	service := fmt.Sprintf("%s-%d", lokiService, time.Now().UnixNano())
	return pushHarness(server.URL, loki.Options{Server: loki.ServerVictoriaLogs, ServiceName: service, Oldest: century}, in,
		func(ctx context.Context) ([]v1alpha1.AuditEvent, error) {
			found, err := server.Query(ctx, "", fmt.Sprintf("{service_name=%q}", service), time.Now().Add(-century), time.Now().Add(24*time.Hour))
			if err != nil {
				return nil, err
			}
			seen := map[string]bool{}
			var events []v1alpha1.AuditEvent
			for _, row := range found {
				if seen[row.Line] {
					continue
				}
				seen[row.Line] = true
				var ae v1alpha1.AuditEvent
				if err := json.Unmarshal([]byte(row.Line), &ae); err != nil {
					return nil, fmt.Errorf("a row that is no event: %w", err)
				}
				events = append(events, ae)
			}
			return events, nil
		})
}

// pushHarness returns the harness of a server that takes Loki's pushes.
func pushHarness(server string, opts loki.Options, in Stage, stored func(context.Context) ([]v1alpha1.AuditEvent, error)) sinktest.Harness {
	open := func(address string, opts loki.Options) (auditing.Sink, error) {
		sink, err := loki.New(address, opts)
		if err != nil {
			return nil, err
		}
		return in(sink)
	}
	return sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			sink, err := open(server, opts)
			return sinktest.Subject{
				Sink:    sink,
				Stored:  stored,
				Again:   func(context.Context) (auditing.Sink, error) { return open(server, opts) },
				Release: http.DefaultTransport.(*http.Transport).CloseIdleConnections, //nolint:forcetypeassert // of testenv's queries
			}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			gone := httptest.NewServer(http.NotFoundHandler())
			gone.Close()
			sink, err := open(gone.URL, opts)
			return sinktest.Fault{Sink: sink, Caused: func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }}, err
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			released := make(chan struct{})
			silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				select {
				case <-released:
					w.WriteHeader(http.StatusNoContent)
				case <-r.Context().Done():
				}
			}))
			plain := opts
			plain.ProveEvery = -1 // the proof would hang instead of the push
			sink, err := open(silent.URL, plain)
			return sinktest.Fault{Sink: sink, Release: sync.OnceFunc(func() { close(released); silent.Close() })}, err
		},
	}
}

// rows reads back the entries in Loki. An entry that is stored twice is returned twice.
func rows(ctx context.Context, l *testenv.Loki) ([]v1alpha1.AuditEvent, error) {
	const day = 24 * time.Hour
	entries, err := l.Query(ctx, "", `{service_name="`+lokiService+`"}`, time.Now().Add(-day), time.Now().Add(day), 0)
	if err != nil {
		return nil, err
	}
	events := make([]v1alpha1.AuditEvent, len(entries))
	for i, e := range entries {
		if err := json.Unmarshal([]byte(e.Line), &events[i]); err != nil {
			return nil, fmt.Errorf("a row that is no event: %w", err)
		}
	}
	return events, nil
}
