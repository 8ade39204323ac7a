package loki_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

// permissiveKilled returns the address of a Loki that has been stopped.
func permissiveKilled(t *testing.T) string {
	t.Helper()
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	if err := l.Stop(); err != nil {
		t.Fatal(err)
	}
	return l.URL
}

// writeTwentyThousand writes 20,000 events from several goroutines.
func writeTwentyThousand(t *testing.T, sink auditing.Sink, ns string, writers int) []*v1alpha1.AuditEvent {
	t.Helper()
	events := make([]*v1alpha1.AuditEvent, 20_000)
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range writers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(events)) && !t.Failed(); i = next.Add(1) - 1 {
				events[i] = event(ns, fmt.Sprintf("event %d", i))
				if err := sink.Write(t.Context(), events[i]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Logf("%d writers: %.0f answered events/s", writers, float64(len(events))/time.Since(start).Seconds())
	return events
}

func TestTwentyThousandEventsAreStoredOnceAndInOrder(t *testing.T) {
	for _, writers := range []int{1024, 1} {
		t.Run(fmt.Sprintf("from %d writers", writers), func(t *testing.T) {
			t.Parallel()
			l := permissive.get(t)
			sink := open(t, l.URL, loki.Options{})
			ns := namespace()
			events := writeTwentyThousand(t, sink, ns, writers)
			entries := stored(t, l, "", ns)
			sameEvents(t, entries, events)
			when := map[string]time.Time{}
			for _, ae := range events {
				when[ae.Name] = auditing.EventTime(ae)
			}
			for i, e := range entries {
				if !e.Time.Equal(when[e.Metadata["event"]]) {
					t.Fatalf("entry %d is stored at %s, want %s", i, e.Time, when[e.Metadata["event"]])
				}
				if i > 0 && !entries[i-1].Time.Before(e.Time) {
					t.Fatalf("entry %d is not after the one before: %s, %s", i, entries[i-1].Time, e.Time)
				}
			}
		})
	}
}

func TestTrapLokiKilledUnderLoadKeepsWhatItConfirmed(t *testing.T) {
	t.Parallel()
	testenv.NeedsOwnLoki(t)
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	sink := retried(t, open(t, l.URL, loki.Options{}), 300*time.Millisecond)
	ns := namespace()
	var mu sync.Mutex
	var confirmed, failed []*v1alpha1.AuditEvent
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for ctx.Err() == nil {
				ae := event(ns, "x")
				err := sink.Write(context.WithoutCancel(ctx), ae)
				mu.Lock()
				if err == nil {
					confirmed = append(confirmed, ae)
				} else {
					failed = append(failed, ae)
				}
				mu.Unlock()
			}
		})
	}
	count := func() (ok, bad int) {
		mu.Lock()
		defer mu.Unlock()
		return len(confirmed), len(failed)
	}
	for range 3 {
		ok, bad := count()
		eventually(t, func() bool { n, _ := count(); return n > ok+200 })
		if err := l.Kill(); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { _, n := count(); return n > bad+64 })
		if err := l.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ok, _ := count()
	eventually(t, func() bool { n, _ := count(); return n > ok+200 })
	stop()
	wg.Wait()

	found := map[string]int{}
	for _, e := range stored(t, l, "", ns) {
		found[e.Metadata["event"]]++
	}
	for _, ae := range confirmed {
		if found[ae.Name] == 0 {
			t.Errorf("%s was confirmed and is not stored", ae.Name)
		}
	}
	t.Logf("%d confirmed, %d reported as not, %d stored", len(confirmed), len(failed), len(found))

	// Writing the failed events again is harmless: afterwards each event is there once.
	mustWriteAll(t, retried(t, open(t, l.URL, loki.Options{}), time.Minute), failed...)
	closeChunks(t, l)
	eventually(t, func() bool { return len(stored(t, l, "", ns)) == len(confirmed)+len(failed) })
	sameEvents(t, stored(t, l, "", ns), append(confirmed, failed...))
}
