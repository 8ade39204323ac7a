package retention_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/retention"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	os.Exit(testenv.Run(m))
}

const day = 24 * time.Hour

// later is a clock 25 hours ahead: events that a test has just stored are past
// the day for which every event stays.
func later() time.Time { return time.Now().Add(25 * time.Hour) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func newClient(tb testing.TB, cfg *rest.Config) client.Client {
	tb.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		tb.Fatal(err)
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func newReaper(tb testing.TB, cfg *rest.Config, p retention.Policy, opts retention.Options) *retention.Reaper {
	tb.Helper()
	if opts.Now == nil {
		opts.Now = later
	}
	if opts.Logger == nil {
		opts.Logger = quiet
	}
	r, err := retention.New(cfg, p, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// event returns an event that is not stored yet, and was decided age before later().
func event(ns, name string, kind v1alpha1.AuditKind, age time.Duration) *v1alpha1.AuditEvent {
	ae := auditing.NewEvent(auditing.EventInput{
		Namespace: ns, Kind: kind, Decision: v1alpha1.AuditDecisionGranted, RunName: "hr-1",
		Reason: "a reason of ordinary length, as a component writes it", Host: "example.com", Port: 443,
		When: later().Add(-age),
	})
	ae.Name = name
	return ae
}

func create(tb testing.TB, c client.Client, events ...*v1alpha1.AuditEvent) {
	tb.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for _, ae := range events {
		group.Go(func() error { return c.Create(context.Background(), ae) })
	}
	if err := group.Wait(); err != nil {
		tb.Fatal(err)
	}
}

// names returns the names of the events that are in a namespace, "" for all.
func names(tb testing.TB, c client.Client, ns string) map[string]bool {
	tb.Helper()
	found := map[string]bool{}
	page := &metav1.PartialObjectMetadataList{}
	page.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("AuditEventList"))
	for {
		if err := c.List(context.Background(), page, client.InNamespace(ns), client.Limit(2000), client.Continue(page.Continue)); err != nil {
			tb.Fatal(err)
		}
		for i := range page.Items {
			found[page.Items[i].Name] = true
		}
		if page.Continue == "" {
			return found
		}
	}
}

// same fails the test unless exactly the events of want are left.
func same(tb testing.TB, got map[string]bool, want []string) {
	tb.Helper()
	for _, name := range want {
		if !got[name] {
			tb.Errorf("%s is gone", name)
		}
	}
	if len(got) != len(want) {
		tb.Errorf("%d events are left, want %d", len(got), len(want))
	}
}

// requests counts what a configuration's client asks, and what it is answered.
type requests struct {
	lists, deletes, deleted, expired atomic.Int64
	// before is called with every request, where it is not nil.
	before func(*http.Request)
}

func (q *requests) counted(cfg *rest.Config) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return counting{q, next} })
	return cfg
}

type counting struct {
	*requests

	next http.RoundTripper
}

func (c counting) RoundTrip(req *http.Request) (*http.Response, error) {
	if c.before != nil {
		c.before(req)
	}
	answer, err := c.next.RoundTrip(req)
	switch req.Method {
	case http.MethodGet:
		c.lists.Add(1)
		if err == nil && answer.StatusCode == http.StatusGone {
			c.expired.Add(1)
		}
	case http.MethodDelete:
		c.deletes.Add(1)
		if err == nil && answer.StatusCode == http.StatusOK {
			c.deleted.Add(1)
		}
	}
	return answer, err
}

// restPolicy keeps everything that no rule of a test names, so that tests which
// share an API server leave each other's events alone.
func restPolicy(rules ...retention.Rule) retention.Policy {
	return retention.Policy{Default: retention.MaxKeep, Rules: rules, DeletesPerSecond: 10000}
}

func numbered(prefix string, i int) string { return fmt.Sprintf("%s-%06d", prefix, i) }
