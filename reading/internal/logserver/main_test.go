package logserver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/lokisource"
	"github.com/paddock-dev/audit/reading/vlsource"
	"github.com/paddock-dev/audit/sinks/loki"
)

func TestMain(m *testing.M) {
	code := testenv.Run(m)
	if shared.loki != nil {
		if err := shared.loki.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// shared is the Loki of this test binary. Each test has a service name of its own.
var shared struct {
	once sync.Once
	loki *testenv.Loki
	err  error
}

func sharedLoki(tb testing.TB) *testenv.Loki {
	tb.Helper()
	shared.once.Do(func() { shared.loki, shared.err = testenv.StartLoki(testenv.LokiOptions{ProductionLimits: true}) })
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.loki
}

// place is a server with a sink and a source.
type place struct {
	name    string
	service string
	sink    *loki.Sink
	// source returns a source with this page size, or the default when 0, for polls that are
	// short.
	source func(page int, overlap time.Duration) reading.Follower
	// settle makes what was written visible.
	settle  func(tb testing.TB)
	kill    func() error
	restart func(context.Context) error
}

const century = 100 * 365 * 24 * time.Hour

var services atomic.Int64

// onLoki returns a place in the Loki l, and onVictoriaLogs one in v.
func onLoki(tb testing.TB, l *testenv.Loki, opts loki.Options) place {
	tb.Helper()
	opts.ServiceName = fmt.Sprintf("test-%d", services.Add(1))
	return place{
		name: "loki", service: opts.ServiceName, sink: open(tb, l.URL, opts),
		source: func(page int, overlap time.Duration) reading.Follower {
			s, err := lokisource.New("loki", l.URL, lokisource.Options{
				ServiceName: opts.ServiceName, PageSize: page, Interval: 50 * time.Millisecond, Overlap: overlap, LateOverlap: 20 * time.Minute,
			})
			if err != nil {
				tb.Fatal(err)
			}
			return s
		},
		settle: func(testing.TB) {}, kill: l.Kill, restart: l.Restart,
	}
}

func onVictoriaLogs(tb testing.TB, v *testenv.VictoriaLogs, opts loki.Options) place {
	tb.Helper()
	opts.ServiceName = fmt.Sprintf("test-%d", services.Add(1))
	opts.Server, opts.Oldest = loki.ServerVictoriaLogs, century
	return place{
		name: "victorialogs", service: opts.ServiceName, sink: open(tb, v.URL, opts),
		source: func(page int, overlap time.Duration) reading.Follower {
			s, err := vlsource.New("victorialogs", v.URL, vlsource.Options{
				ServiceName: opts.ServiceName, PageSize: page, Interval: 50 * time.Millisecond, Overlap: overlap,
			})
			if err != nil {
				tb.Fatal(err)
			}
			return s
		},
		settle: func(tb testing.TB) {
			tb.Helper()
			if _, err := v.Query(tb.Context(), "", "*", time.Now(), time.Now()); err != nil { // it flushes
				tb.Fatal(err)
			}
		},
		kill: v.Kill, restart: v.Restart,
	}
}

// everywhere runs a test with both servers.
func everywhere(t *testing.T, opts loki.Options, test func(t *testing.T, p place)) {
	t.Run("loki", func(t *testing.T) { test(t, onLoki(t, sharedLoki(t), opts)) })
	t.Run("victorialogs", func(t *testing.T) { test(t, onVictoriaLogs(t, testenv.SharedVictoriaLogs(t), opts)) })
}

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

// events returns n events of one time.
func events(n int, when time.Time) (all []*v1alpha1.AuditEvent) {
	for i := range n {
		all = append(all, auditing.NewEvent(auditing.EventInput{
			Kind: v1alpha1.AuditKindEgressBlock, Decision: v1alpha1.AuditDecisionDenied, Namespace: "team-a",
			RunName: "run-1", Reason: fmt.Sprintf("number %d", i), When: when,
		}))
	}
	return all
}

// write stores the events in one batch, and names them on the way. It writes events again
// that the server does not confirm, because a server that has just started may not.
func write(tb testing.TB, sink auditing.Sink, all ...*v1alpha1.AuditEvent) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	prepared := make([]*driver.Event, len(all))
	for i, ae := range all {
		e, err := driver.Prepare(ae, "proxy")
		if err != nil {
			tb.Fatal(err)
		}
		e.Object().DeepCopyInto(ae)
		prepared[i] = e
	}
	for {
		errs := driver.Of(sink).Store(ctx, prepared)
		if errs == nil {
			return
		}
		if ctx.Err() != nil {
			tb.Fatal(errors.Join(errs...))
		}
		var left []*driver.Event
		for i, err := range errs {
			if err != nil {
				left = append(left, prepared[i])
			}
		}
		prepared = left
	}
}

// sorted returns the names of the events by time and name.
func sorted(all []*v1alpha1.AuditEvent) (names []string) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *v1alpha1.AuditEvent) int {
		return reading.NewRecord(a, "", "").Key().Compare(reading.NewRecord(b, "", "").Key())
	})
	for _, ae := range all {
		names = append(names, ae.Name)
	}
	return names
}

// read returns the names of the events in the order in which they come.
func read(tb testing.TB, s reading.Source, q *reading.Query) (names []string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	for r, err := range s.Read(ctx, q) {
		if err != nil {
			tb.Fatal(err)
		}
		names = append(names, r.Event.Name)
	}
	return names
}

// same fails unless these names were read, in this order.
func same(tb testing.TB, what string, got, want []string) {
	tb.Helper()
	if !slices.Equal(got, want) {
		tb.Errorf("%s: %d events, want %d: %.300s", what, len(got), len(want), strings.Join(got, " "))
	}
}

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
		case <-time.After(5 * time.Second):
			tb.Error("Follow goes on 5 s after its context has ended")
		}
	})
	return f
}

// gets fails unless the next events are these, each once, in any order.
func (f *follower) gets(tb testing.TB, all []*v1alpha1.AuditEvent) {
	tb.Helper()
	timeout := time.After(40 * time.Second)
	var got []string
	for len(got) < len(all) {
		select {
		case name := <-f.events:
			got = append(got, name)
		case <-timeout:
			tb.Fatalf("%d events came, want %d; %d errors", len(got), len(all), len(f.errs))
		}
	}
	slices.Sort(got)
	if want := slices.Sorted(slices.Values(sorted(all))); !slices.Equal(got, want) {
		tb.Fatalf("%d events came, and others than were written: %.300s", len(got), strings.Join(got, " "))
	}
}
