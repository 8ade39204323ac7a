package kubesource_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/kubesource"
	"github.com/paddock-dev/audit/sinks/kube"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m))
}

// sink writes to the API server.
func sink(tb testing.TB, cfg *rest.Config, component string) kube.Sink {
	tb.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		tb.Fatal(err)
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		tb.Fatal(err)
	}
	return kube.Sink{Client: c, Component: component}
}

var noon = time.Date(2026, 4, 25, 12, 0, 0, 123456789, time.UTC)

// event returns event number i of a namespace, a nanosecond after the one before.
func event(ns string, i int) *v1alpha1.AuditEvent {
	ae := auditing.NewEvent(auditing.EventInput{
		Namespace: ns, Kind: v1alpha1.AuditKindEgressBlock, Decision: v1alpha1.AuditDecisionDenied,
		RunName: "run-1", Reason: fmt.Sprintf("number %d", i), When: noon.Add(time.Duration(i)),
	})
	ae.Name = fmt.Sprintf("ae-%06d", 999_999-i) // the order of names is not that of times
	return ae
}

func write(tb testing.TB, s auditing.Sink, events ...*v1alpha1.AuditEvent) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for _, ae := range events {
		group.Go(func() error { return s.Write(ctx, ae) })
	}
	if err := group.Wait(); err != nil {
		tb.Fatal(err)
	}
}

func source(tb testing.TB, cfg *rest.Config, opts kubesource.Options) *kubesource.Source {
	tb.Helper()
	s, err := kubesource.New("cluster", cfg, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// read returns the names of the events in the order in which they come.
func read(tb testing.TB, s reading.Source, q *reading.Query) (names []string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	var last reading.Key
	for r, err := range s.Read(ctx, q) {
		if err != nil {
			tb.Fatal(err)
		}
		if r.Key().Compare(last) <= 0 {
			tb.Fatalf("%s comes after %v", r.Event.Name, last)
		}
		last = r.Key()
		names = append(names, r.Event.Name)
	}
	return names
}

// failure returns the error of a Read that has to fail.
func failure(tb testing.TB, s reading.Source, q *reading.Query) error {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Minute)
	defer cancel()
	for _, err := range s.Read(ctx, q) {
		if err != nil {
			return err
		}
	}
	tb.Fatal("no error")
	return nil
}

func namesOf(events []*v1alpha1.AuditEvent) (names []string) {
	for _, ae := range events {
		names = append(names, ae.Name)
	}
	return names
}

// through returns a configuration whose requests go through trip.
func through(cfg *rest.Config, trip func(next http.RoundTripper, r *http.Request) (*http.Response, error)) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) { return trip(next, r) })
	})
	return cfg
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// follower collects what Follow yields.
type follower struct {
	events chan string
	errs   chan error
}

func follow(tb testing.TB, s reading.Follower, q *reading.Query) *follower {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{events: make(chan string, 100_000), errs: make(chan error, 100_000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r, err := range s.Follow(ctx, q) {
			if err != nil {
				f.errs <- err
				continue
			}
			f.events <- r.Event.Name
		}
	}()
	tb.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			tb.Error("Follow goes on 30 s after its context has ended")
		}
	})
	return f
}

// gets fails unless the next events are these, each once, in any order.
func (f *follower) gets(tb testing.TB, want []string) {
	tb.Helper()
	timeout := time.After(2 * time.Minute)
	var got []string
	for len(got) < len(want) {
		select {
		case name := <-f.events:
			got = append(got, name)
		case <-timeout:
			tb.Fatalf("%d events came, want %d; errors: %v", len(got), len(want), len(f.errs))
		}
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		tb.Fatalf("other events came than were written: %d, %v", len(got), got[:min(len(got), 20)])
	}
}
