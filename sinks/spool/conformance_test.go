package spool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/spool"
)

// destination is what a spool delivers to.
type destination struct {
	// sink returns a new sink to it, and what ends that beyond its Close.
	sink   func() (s auditing.Sink, release func(), err error)
	stored func(ctx context.Context) ([]v1alpha1.AuditEvent, error)
}

func TestConformsInFrontOfARecorder(t *testing.T) {
	conform(t, "default", func() destination {
		r := &sinktest.Recorder{}
		return destination{
			sink: func() (auditing.Sink, func(), error) { return keepOpen{r}, func() {}, nil },
			stored: func(context.Context) ([]v1alpha1.AuditEvent, error) {
				return r.Events(), nil
			},
		}
	})
}

// keepOpen is a sink that several others share, so that none may close it.
type keepOpen struct{ auditing.Sink }

func (k keepOpen) String() string { return auditing.Chain(k.Sink) }

func TestConformsInFrontOfTheAPIServer(t *testing.T) {
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	reader, _, err := kubeClient(server.Config)
	if err != nil {
		t.Fatal(err)
	}
	conform(t, ns, func() destination {
		return destination{
			sink: func() (auditing.Sink, func(), error) {
				c, release, err := kubeClient(server.Config)
				return kube.Sink{Client: c, Component: "broker"}, release, err
			},
			stored: func(ctx context.Context) ([]v1alpha1.AuditEvent, error) { return kubeEvents(ctx, reader, ns) },
		}
	})
}

func kubeEvents(ctx context.Context, c client.Client, ns string) ([]v1alpha1.AuditEvent, error) {
	var events v1alpha1.AuditEventList
	err := c.List(ctx, &events, client.InNamespace(ns))
	return events.Items, err
}

// kubeClient is a client whose idle connections, and their goroutines, end with release.
func kubeClient(config *rest.Config) (c client.Client, release func(), err error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, nil, err
	}
	hc, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, nil, err
	}
	c, err = client.New(config, client.Options{Scheme: scheme, HTTPClient: hc})
	return c, hc.CloseIdleConnections, err
}

func TestConformsInFrontOfALog(t *testing.T) {
	conform(t, "default", func() destination {
		path := filepath.Join(t.TempDir(), "audit.log")
		return destination{
			sink: func() (auditing.Sink, func(), error) {
				s, err := log.NewFile(path, log.FileOptions{})
				return s, func() {}, err
			},
			stored: func(context.Context) ([]v1alpha1.AuditEvent, error) { return logged(path) },
		}
	})
}

// logged reads a log as its readers do: equal lines are one event.
func logged(path string) ([]v1alpha1.AuditEvent, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var events []v1alpha1.AuditEvent
	seen := map[string]bool{}
	for line := range bytes.Lines(text) {
		var ae v1alpha1.AuditEvent
		if err := json.Unmarshal(line, &ae); err != nil {
			return nil, fmt.Errorf("a line that is no event: %w", err)
		}
		content, err := json.Marshal(ae)
		if err != nil {
			return nil, err
		}
		if !seen[string(content)] {
			seen[string(content)] = true
			events = append(events, ae)
		}
	}
	return events, nil
}

var sharedLoki struct {
	once sync.Once
	loki *testenv.Loki
	err  error
}

func startedLoki(tb testing.TB) *testenv.Loki {
	tb.Helper()
	sharedLoki.once.Do(func() { sharedLoki.loki, sharedLoki.err = testenv.StartLoki(testenv.LokiOptions{}) })
	if sharedLoki.err != nil {
		tb.Fatal(sharedLoki.err)
	}
	return sharedLoki.loki
}

func stopLoki() error {
	if sharedLoki.loki == nil {
		return nil
	}
	return sharedLoki.loki.Stop()
}

func TestConformsInFrontOfLoki(t *testing.T) {
	l := startedLoki(t)
	conform(t, "conformance", func() destination {
		return destination{
			sink: func() (auditing.Sink, func(), error) {
				s, err := loki.New(l.URL, loki.Options{ServiceName: "conformance"})
				release := http.DefaultTransport.(*http.Transport).CloseIdleConnections //nolint:forcetypeassert // of testenv's queries
				return s, release, err
			},
			stored: func(ctx context.Context) ([]v1alpha1.AuditEvent, error) {
				return lokiEvents(ctx, l, `{service_name="conformance"}`)
			},
		}
	})
}

func lokiEvents(ctx context.Context, l *testenv.Loki, selector string) ([]v1alpha1.AuditEvent, error) {
	entries, err := l.Query(ctx, "", selector, time.Now().Add(-24*time.Hour), time.Now().Add(24*time.Hour), 0)
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

// conform runs the suite over spools of their own in front of a destination. The
// disk is what fails and hangs: the destination is behind it.
func conform(t *testing.T, ns string, make func() destination) {
	sinktest.Run(t, sinktest.Harness{
		Namespace: ns,
		New: func(context.Context) (sinktest.Subject, error) {
			to := make()
			var ends []func()
			newSpool := func(context.Context) (auditing.Sink, error) {
				next, release, err := to.sink()
				if err != nil {
					return nil, err
				}
				ends = append(ends, release)
				return spool.New(t.TempDir(), next, quick())
			}
			s, err := newSpool(nil)
			return sinktest.Subject{Sink: s, Stored: to.stored, Again: newSpool, Release: func() {
				for _, end := range slices.Backward(ends) {
					end()
				}
			}}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			disk := &spool.FaultyDisk{}
			s, err := spool.New(t.TempDir(), &sinktest.Recorder{}, disk.On(quick()))
			disk.Set(spool.Fault{On: refuse(syscall.ENOSPC, "write")})
			return sinktest.Fault{Sink: s, Caused: func(err error) bool { return errors.Is(err, syscall.ENOSPC) }}, err
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			disk := &spool.FaultyDisk{}
			s, err := spool.New(t.TempDir(), &sinktest.Recorder{}, disk.On(quick()))
			released, release := context.WithCancel(context.Background())
			disk.Set(spool.Fault{On: func(op, path string) error {
				if op == "sync" && filepath.Ext(path) == ".seg" {
					<-released.Done()
				}
				return nil
			}})
			return sinktest.Fault{Sink: s, Release: release}, err
		},
	})
}

// refuse fails operations on segments with err.
func refuse(err error, ops ...string) func(op, path string) error {
	return func(op, path string) error {
		if slices.Contains(ops, op) && filepath.Ext(path) == ".seg" {
			return err
		}
		return nil
	}
}
