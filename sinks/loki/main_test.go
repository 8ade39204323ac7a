package loki_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/retry"
)

func TestMain(m *testing.M) {
	if child := os.Getenv(childEnv); child != "" {
		os.Exit(runChild(child))
	}
	code := testenv.Run(m)
	for _, l := range []*sharedLoki{&permissive, &production} {
		if err := l.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// sharedLoki is a Loki to which several tests write, each to namespaces of its own.
type sharedLoki struct {
	opts testenv.LokiOptions
	once sync.Once
	loki *testenv.Loki
	err  error
}

var (
	permissive = sharedLoki{}
	production = sharedLoki{opts: testenv.LokiOptions{ProductionLimits: true}}
)

func (s *sharedLoki) get(tb testing.TB) *testenv.Loki {
	tb.Helper()
	s.once.Do(func() { s.loki, s.err = testenv.StartLoki(s.opts) })
	if s.err != nil {
		tb.Fatal(s.err)
	}
	return s.loki
}

func (s *sharedLoki) stop() error {
	if s.loki == nil {
		return nil
	}
	return s.loki.Stop()
}

// open returns a sink that is closed at the end of the test.
func open(tb testing.TB, address string, opts loki.Options) *loki.Sink {
	tb.Helper()
	sink, err := loki.New(address, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := sink.Close(ctx); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return sink
}

// retried puts package retry before a sink, which pushes only once.
func retried(tb testing.TB, next auditing.Sink, within time.Duration) *retry.Sink {
	tb.Helper()
	sink, err := retry.New(next, retry.Options{
		Within: within, Timeout: 25 * time.Second, MinBackoff: 50 * time.Millisecond, MaxBackoff: time.Second,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return sink
}

var namespaces atomic.Int64

// namespace returns a namespace that no other test uses.
func namespace() string { return fmt.Sprintf("ns-%d-%d", os.Getpid(), namespaces.Add(1)) }

func event(ns, reason string) *v1alpha1.AuditEvent {
	return eventAt(ns, reason, time.Time{})
}

func eventAt(ns, reason string, when time.Time) *v1alpha1.AuditEvent {
	return auditing.NewEvent(auditing.EventInput{
		Kind: v1alpha1.AuditKindEgressBlock, Decision: v1alpha1.AuditDecisionDenied,
		Namespace: ns, RunName: "run-1", Reason: reason, When: when,
	})
}

// shortly returns a context for a write that should succeed.
func shortly(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// writeAll writes every event from a goroutine of its own and returns the errors
// in the order of the events.
func writeAll(tb testing.TB, sink auditing.Sink, events []*v1alpha1.AuditEvent) []error {
	tb.Helper()
	ctx := shortly(tb)
	errs := make([]error, len(events))
	var wg sync.WaitGroup
	for i, ae := range events {
		wg.Go(func() { errs[i] = sink.Write(ctx, ae) })
	}
	wg.Wait()
	return errs
}

func mustWriteAll(tb testing.TB, sink auditing.Sink, events ...*v1alpha1.AuditEvent) {
	tb.Helper()
	if err := errors.Join(writeAll(tb, sink, events)...); err != nil {
		tb.Fatal(err)
	}
}

// stored reads all entries of a namespace, of any time.
func stored(tb testing.TB, l *testenv.Loki, tenant, ns string) []testenv.Entry {
	tb.Helper()
	return query(tb, l, tenant, fmt.Sprintf("{namespace=%q}", ns), time.Now().Add(-25*24*time.Hour), time.Now().Add(3*time.Hour))
}

func query(tb testing.TB, l *testenv.Loki, tenant, logql string, start, end time.Time) []testenv.Entry {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	entries, err := l.Query(ctx, tenant, logql, start, end, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return entries
}

// parsed returns the event in an entry.
func parsed(tb testing.TB, e testenv.Entry) *v1alpha1.AuditEvent {
	tb.Helper()
	ae := &v1alpha1.AuditEvent{}
	if err := json.Unmarshal([]byte(e.Line), ae); err != nil {
		tb.Fatalf("a line that is no event: %v: %.200s", err, e.Line)
	}
	return ae
}

// sameEvents fails the test unless entries hold each of events once, and nothing else.
func sameEvents(tb testing.TB, entries []testenv.Entry, events []*v1alpha1.AuditEvent) {
	tb.Helper()
	var got, want []string
	for _, e := range entries {
		got = append(got, e.Metadata["event"])
	}
	for _, ae := range events {
		want = append(want, ae.Name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if slices.Equal(got, want) {
		return
	}
	seen := map[string]int{}
	for _, name := range got {
		seen[name]++
	}
	missing, repeated := 0, 0
	for _, name := range want {
		if seen[name] == 0 {
			missing++
		}
		if seen[name] > 1 {
			repeated++
		}
	}
	tb.Fatalf("Loki holds %d entries, want %d: %d missing, %d repeated", len(got), len(want), missing, repeated)
}

// mustFail returns the WriteError of a failed write. The test fails when err has none, or
// another class.
func mustFail(tb testing.TB, err error, class auditing.Class) *auditing.WriteError {
	tb.Helper()
	var failed *auditing.WriteError
	if !errors.As(err, &failed) {
		tb.Fatalf("got %v, want a *WriteError", err)
	}
	if failed.Class != class {
		tb.Fatalf("class %s, want %s: %v", failed.Class, class, err)
	}
	return failed
}

// before puts a handler in front of a Loki. The handler gets every request, and next
// passes the request on.
func before(tb testing.TB, l *testenv.Loki, handle func(w http.ResponseWriter, r *http.Request, next http.Handler)) string {
	tb.Helper()
	target, err := url.Parse(l.URL)
	if err != nil {
		tb.Fatal(err)
	}
	next := httputil.NewSingleHostReverseProxy(target)
	next.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, next) }))
	tb.Cleanup(server.Close)
	return server.URL
}

// fake starts a server that answers every request with handle, for faults that a real
// Loki cannot be made to have.
func fake(tb testing.TB, handle http.HandlerFunc) string {
	tb.Helper()
	server := httptest.NewServer(handle)
	tb.Cleanup(server.Close)
	return server.URL
}

func contains(tb testing.TB, text string, parts ...string) {
	tb.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			tb.Errorf("%q does not say %q", text, part)
		}
	}
}

func lacks(tb testing.TB, text string, parts ...string) {
	tb.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			tb.Errorf("%q must not say %q", text, part)
		}
	}
}
