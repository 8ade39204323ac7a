package lokiclient_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki/lokiclient"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

const patience = 30 * time.Second

// quick makes the client give up soon. With its defaults, that takes minutes.
var quick = lokiclient.Options{
	Component: "broker", BatchWait: 20 * time.Millisecond,
	MinBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond, MaxRetries: 3,
}

// oneBatch makes the client send all events in one batch, at Close.
func oneBatch() lokiclient.Options {
	opts := quick
	opts.BatchWait = time.Hour
	return opts
}

func newSink(tb testing.TB, address string, opts lokiclient.Options) *lokiclient.Sink {
	tb.Helper()
	sink, err := lokiclient.New(address, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = closeWithin(sink, patience) })
	return sink
}

func closeWithin(sink *lokiclient.Sink, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return sink.Close(ctx)
}

func writeWithin(sink auditing.Sink, limit time.Duration, ae *v1alpha1.AuditEvent) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return sink.Write(ctx, ae)
}

func mustWrite(tb testing.TB, sink auditing.Sink, events ...*v1alpha1.AuditEvent) {
	tb.Helper()
	for _, ae := range events {
		if err := writeWithin(sink, patience, ae); err != nil {
			tb.Fatal(err)
		}
	}
}

var namespaces atomic.Int64

// namespace returns a namespace that no other test uses.
func namespace() string { return fmt.Sprintf("ns-%d-%d", os.Getpid(), namespaces.Add(1)) }

func event(ns string, when time.Time) *v1alpha1.AuditEvent {
	return auditing.NewEgressBlock(auditing.EgressInput{
		RunName: "run-1", Namespace: ns, Host: "paste.example.com", Port: 443, Reason: "not on the list", When: when,
	})
}

// stored reads the entries of a namespace.
func stored(ctx context.Context, l *testenv.Loki, ns string) ([]testenv.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return l.Query(ctx, "", fmt.Sprintf("{namespace=%q}", ns), time.Now().Add(-30*24*time.Hour), time.Now().Add(time.Hour), 0)
}

func mustStored(tb testing.TB, l *testenv.Loki, ns string) []testenv.Entry {
	tb.Helper()
	entries, err := stored(context.Background(), l, ns)
	if err != nil {
		tb.Fatal(err)
	}
	return entries
}

// parse returns the events of lines.
func parse(entries []testenv.Entry) ([]v1alpha1.AuditEvent, error) {
	events := make([]v1alpha1.AuditEvent, len(entries))
	for i, e := range entries {
		if err := json.Unmarshal([]byte(e.Line), &events[i]); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// front is a proxy in front of a Loki. The client keeps its connections for minutes after
// Stop, but those to the proxy end with close. After hold, no request is answered until
// its release.
type front struct {
	*httptest.Server
	transport *http.Transport
	mu        sync.Mutex
	held      chan struct{}
	arrived   chan struct{} // one for each request that is held
}

func newFront(l *testenv.Loki) (*front, error) {
	target, err := url.Parse(l.URL)
	if err != nil {
		return nil, err
	}
	f := &front{transport: &http.Transport{}, arrived: make(chan struct{}, 1000)}
	forward := httputil.NewSingleHostReverseProxy(target)
	forward.Transport = f.transport
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		held := f.held
		f.mu.Unlock()
		if held != nil {
			f.arrived <- struct{}{}
			<-held
		}
		forward.ServeHTTP(w, r)
	}))
	return f, nil
}

// hold makes every request wait until release is called. Calling release again does nothing.
func (f *front) hold() (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	held := make(chan struct{})
	f.held = held
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.held = nil
		close(held)
	})
}

func (f *front) close() {
	f.CloseClientConnections()
	f.Close()
	f.transport.CloseIdleConnections()
}

// busy is a sink whose client waits for an answer, so that its Handle blocks.
type busy struct {
	sink    *lokiclient.Sink
	front   *front
	release func() // makes Loki answer
}

// newBusy writes two events. A batch has at most one byte, so the second event makes the
// client send the first.
func newBusy(ctx context.Context, l *testenv.Loki, opts lokiclient.Options) (*busy, error) {
	f, err := newFront(l)
	if err != nil {
		return nil, err
	}
	b := &busy{front: f, release: f.hold()}
	opts.BatchBytes = 1
	opts.BatchWait = time.Hour
	if b.sink, err = lokiclient.New(f.URL, opts); err != nil {
		return nil, err
	}
	for range 2 {
		if err := b.sink.Write(ctx, event("busy", time.Time{})); err != nil {
			return nil, err
		}
	}
	<-f.arrived
	return b, nil
}

func mustBusy(tb testing.TB, l *testenv.Loki) *busy {
	tb.Helper()
	b, err := newBusy(tb.Context(), l, quick)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		b.release()
		_ = closeWithin(b.sink, patience)
		b.front.close()
	})
	return b
}
