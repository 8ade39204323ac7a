package retry_test

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
	"github.com/paddock-dev/audit/internal/stagetest"
	"github.com/paddock-dev/audit/sinks/retry"
)

// ledger says what became of the writes.
type ledger struct {
	mu      sync.Mutex
	ok      map[string]bool // by the events' reasons
	unknown map[string]bool // these failed, so they may be there
	n       atomic.Int64    // of ok
}

func (l *ledger) note(reason string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.unknown[reason] = true
		return
	}
	l.ok[reason] = true
	l.n.Add(1)
}

// check compares the ledger with what is stored: each event that was confirmed is
// there once, and none came before an earlier one of its writer.
func (l *ledger) check(t *testing.T, stored []v1alpha1.AuditEvent) {
	t.Helper()
	times, last := map[string]int{}, map[string]int{}
	for i := range stored {
		var writer string
		var number int
		reason := stored[i].Spec.Reason
		if _, err := fmt.Sscanf(reason, "%s %d", &writer, &number); err != nil {
			t.Fatalf("an event that nobody wrote: %q", reason)
		}
		times[reason]++
		if number <= last[writer] {
			t.Errorf("event %d of %s stands behind %d", number, writer, last[writer])
		}
		last[writer] = number
		if !l.ok[reason] && !l.unknown[reason] {
			t.Errorf("%s is stored and nobody heard of it", reason)
		}
	}
	for reason := range l.ok {
		if times[reason] != 1 {
			t.Errorf("%s is stored %d times, and was confirmed", reason, times[reason])
		}
	}
	for reason := range l.unknown {
		if times[reason] > 1 {
			t.Errorf("%s is stored %d times", reason, times[reason])
		}
	}
}

// write writes events until the context ends, each with a time of its own.
func (l *ledger) write(ctx context.Context, sink auditing.Sink, namespace, name string, timeout time.Duration, failed func(error)) {
	for i := 1; ctx.Err() == nil; i++ {
		reason := fmt.Sprintf("%s %d", name, i)
		ae := auditing.NewEgressBlock(auditing.EgressInput{Namespace: namespace, RunName: "run-7", Reason: reason})
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		err := sink.Write(own, ae)
		cancel()
		l.note(reason, err)
		if err != nil {
			failed(fmt.Errorf("%s: %w", reason, err))
		}
	}
}

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

// A server is killed with -9 while writers write, and comes back. Writers that have the
// time to wait for it succeed. The others get an error.
func TestWritersWithTimeSucceedThroughTheDeathOfTheirServer(t *testing.T) {
	const patient, impatient = 4, 2
	for _, m := range stagetest.Mortals {
		t.Run(m.Name, func(t *testing.T) {
			server := m.Start(t, nil)
			reg := prometheus.NewRegistry()
			sink := newSink(t, server.Sink, retry.Options{
				MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, Timeout: 2 * time.Second,
				Within: time.Minute, Registerer: reg, Name: "server",
			})
			l := &ledger{ok: map[string]bool{}, unknown: map[string]bool{}}
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			var gaveUp atomic.Int64
			for w := range patient {
				wg.Go(func() {
					l.write(ctx, sink, server.Namespace, fmt.Sprint("patient-", w), time.Minute, func(err error) { t.Error(err) })
				})
			}
			for w := range impatient {
				wg.Go(func() {
					l.write(ctx, sink, server.Namespace, fmt.Sprint("impatient-", w), 300*time.Millisecond, func(error) { gaveUp.Add(1) })
				})
			}
			until(t, "the first events", func() bool { return l.n.Load() >= 50 })
			if err := server.Kill(); err != nil {
				t.Fatal(err)
			}
			until(t, "every writer to notice", func() bool {
				return attemptsOf(t, reg, "server")["again"] >= patient && gaveUp.Load() >= impatient
			})
			confirmed := l.n.Load()
			if err := server.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			until(t, "the events after it came back", func() bool { return l.n.Load() >= confirmed+50 })
			stop()
			wg.Wait()
			stored, err := server.Stored(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			l.check(t, stored)
			t.Logf("%d events confirmed, %d failed, %d stored; attempts %v",
				len(l.ok), len(l.unknown), len(stored), attemptsOf(t, reg, "server"))
			if err := sink.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// The server stores an event and its answer is lost: the next attempt is of the
// same event, so it is there once.
func TestAnEventWhoseAnswerWasLostIsStoredOnce(t *testing.T) {
	const writers, each = 4, 25
	for _, m := range stagetest.Mortals {
		t.Run(m.Name, func(t *testing.T) {
			var answers, lost atomic.Int64
			server := m.Start(t, func() bool {
				if answers.Add(1)%3 != 0 {
					return false
				}
				lost.Add(1)
				return true
			})
			sink := newSink(t, server.Sink, retry.Options{MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond, Within: time.Minute})
			l := &ledger{ok: map[string]bool{}, unknown: map[string]bool{}}
			var wg sync.WaitGroup
			for w := range writers {
				ctx, stop := context.WithCancel(t.Context())
				name := fmt.Sprint("writer-", w)
				wg.Go(func() {
					counted := sinkFunc(func(ctx context.Context, ae *v1alpha1.AuditEvent) error {
						if ae.Spec.Reason == fmt.Sprintf("%s %d", name, each) {
							stop()
						}
						return sink.Write(ctx, ae)
					})
					l.write(ctx, counted, server.Namespace, name, time.Minute, func(err error) { t.Error(err) })
				})
			}
			wg.Wait()
			stored, err := server.Stored(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			l.check(t, stored)
			if len(stored) != writers*each || lost.Load() == 0 {
				t.Errorf("%d events are stored, want %d; %d answers were lost", len(stored), writers*each, lost.Load())
			}
		})
	}
}

type sinkFunc func(context.Context, *v1alpha1.AuditEvent) error

func (f sinkFunc) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error { return f(ctx, ae) }
