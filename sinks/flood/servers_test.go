package flood_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/stagetest"
	"github.com/paddock-dev/audit/sinks/flood"
)

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// insistent writes an event until that succeeds, and returns how often it failed.
func insistent(ctx context.Context, s auditing.Sink, ae *v1alpha1.AuditEvent) (failed int, err error) {
	for {
		own, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := s.Write(own, ae)
		cancel()
		if err == nil || ctx.Err() != nil {
			return failed, err
		}
		if class, _ := driver.ClassOf(err); class == auditing.ClassPermanent {
			return failed, err
		}
		failed++
		time.Sleep(20 * time.Millisecond) // the writer's own pause: flood makes none
	}
}

// named fails the test when two stored events have the same name.
func named(t *testing.T, stored []v1alpha1.AuditEvent) {
	t.Helper()
	seen := map[string]bool{}
	for i := range stored {
		if seen[stored[i].Name] {
			t.Errorf("%s is stored twice", stored[i].Name)
		}
		seen[stored[i].Name] = true
	}
}

// A server is killed with -9 while windows are open and summaries under way, and
// a part of its answers is lost besides. Every writer insists until its event is
// written: then each is counted, and none twice.
func TestTheCountsAtAServerThatDiedAreThoseOfTheSuccessfulWrites(t *testing.T) {
	const writers = 64
	for _, m := range stagetest.Mortals {
		t.Run(m.Name, func(t *testing.T) {
			var answers, lost atomic.Int64
			server := m.Start(t, func() bool {
				if answers.Add(1)%4 != 0 {
					return false
				}
				lost.Add(1)
				return true
			})
			reg := prometheus.NewRegistry()
			sink := newSink(t, server.Sink, flood.Options{
				Window: 50 * time.Millisecond, Timeout: 2 * time.Second, Rate: -1, Registerer: reg, Name: "server",
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var ok, failed atomic.Int64
			var over atomic.Bool
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := 0; !over.Load(); i++ {
						ae := blocked(fmt.Sprint("run-", (w+i)%4), fmt.Sprintf("host-%d.example", i%7))
						ae.Namespace = server.Namespace
						n, err := insistent(ctx, sink, ae)
						failed.Add(int64(n))
						if err != nil {
							t.Error(err)
							return
						}
						ok.Add(1)
					}
				})
			}
			until(t, "the first summaries", func() bool { return metricsOf(t, reg, "server")["summaries_total"] >= 8 })
			until(t, "an open window", func() bool { return metricsOf(t, reg, "server")["waiting"] > writers/2 })
			must(t, server.Kill())
			before := metricsOf(t, reg, "server")["summary_failures_total"]
			until(t, "summaries that failed", func() bool { return metricsOf(t, reg, "server")["summary_failures_total"] >= before+4 })
			must(t, server.Restart(t.Context()))
			confirmed := ok.Load()
			until(t, "summaries after it came back", func() bool { return ok.Load() >= confirmed+10*writers })
			over.Store(true)
			wg.Wait()
			stored, err := server.Stored(t.Context())
			must(t, err)
			named(t, stored)
			counted := counted(stored)
			t.Logf("%d events written, after %d failures; %d stored count %d; %d answers were lost; %v",
				ok.Load(), failed.Load(), len(stored), counted, lost.Load(), metricsOf(t, reg, "server"))
			if counted != ok.Load() || lost.Load() == 0 {
				t.Errorf("%d writes succeeded and the counts add up to %d; %d answers were lost", ok.Load(), counted, lost.Load())
			}
			must(t, sink.Close(t.Context()))
		})
	}
}

// The writers of a summary whose answer was lost write their events again: the
// server gets the same summary, and holds it once.
func TestASummaryWhoseAnswerWasLostIsStoredOnce(t *testing.T) {
	for _, m := range stagetest.Mortals {
		t.Run(m.Name, func(t *testing.T) {
			var loses atomic.Bool
			server := m.Start(t, loses.Load)
			sink := newSink(t, server.Sink, flood.Options{Window: 50 * time.Millisecond, Timeout: 2 * time.Second})
			first := blocked("run-7", "evil.example")
			first.Namespace = server.Namespace
			must(t, sink.Write(t.Context(), first))
			loses.Store(true)
			var events []*v1alpha1.AuditEvent
			for range 10 {
				ae := blocked("run-7", "evil.example")
				ae.Namespace = server.Namespace
				events = append(events, ae)
			}
			for _, err := range burst(t.Context(), sink, events...) {
				if err == nil {
					t.Fatal("a writer whose summary's answer was lost got nil")
				}
			}
			before, err := server.Stored(t.Context())
			must(t, err)
			if counted(before) != 11 {
				t.Fatalf("the server holds %d, want all 11 before the writers know", counted(before))
			}
			loses.Store(false)
			must(t, burst(t.Context(), sink, events...)...)
			after, err := server.Stored(t.Context())
			must(t, err)
			named(t, after)
			if counted(after) != 11 {
				t.Errorf("after they wrote again the counts add up to %d, want 11", counted(after))
			}
		})
	}
}
