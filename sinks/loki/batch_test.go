package loki_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

// storeAll passes events to the driver of a sink, in batches of at most size, from
// several goroutines. It returns the outcomes in the order of the events.
func storeAll(tb testing.TB, sink auditing.Sink, events []*v1alpha1.AuditEvent, size, writers int) []error {
	tb.Helper()
	ready := make([]*driver.Event, len(events))
	for i, ae := range events {
		var err error
		if ready[i], err = driver.Prepare(ae, ""); err != nil {
			tb.Fatal(err)
		}
	}
	ctx := shortly(tb)
	d := driver.Of(sink)
	errs := make([]error, len(events))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := int(next.Add(int64(size))) - size; i < len(ready); i = int(next.Add(int64(size))) - size {
				copy(errs[i:], d.Store(ctx, ready[i:min(i+size, len(ready))]))
			}
		})
	}
	wg.Wait()
	return errs
}

func mustStoreAll(tb testing.TB, sink auditing.Sink, events []*v1alpha1.AuditEvent, size, writers int) {
	tb.Helper()
	if err := errors.Join(storeAll(tb, sink, events, size, writers)...); err != nil {
		tb.Fatal(err)
	}
}

func TestBatchNamesItsRefusedEvent(t *testing.T) {
	t.Parallel()
	l := testenv.NewLoki(t, testenv.LokiOptions{Limits: map[string]any{"max_line_size": "8KB"}})
	sink := open(t, l.URL, loki.Options{})
	ns := namespace()
	var all, good []*v1alpha1.AuditEvent
	const bad = 150
	for i := range 301 {
		ae := event(ns, "fine")
		if i == bad {
			ae = large(ns, 12_000)
		} else {
			good = append(good, ae)
		}
		all = append(all, ae)
	}
	for i, err := range storeAll(t, sink, all, len(all), 1) {
		if i == bad {
			failed := mustFail(t, err, auditing.ClassPermanent)
			contains(t, failed.Error(), "max entry size '8192' bytes exceeded")
			if failed.Event != ns+"/"+all[i].Name {
				t.Errorf("the error is of %s, want %s", failed.Event, all[i].Name)
			}
		} else if err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
	sameEvents(t, stored(t, l, "", ns), good)
}

func TestBatchNamesItsEventOutOfTime(t *testing.T) {
	t.Parallel()
	v := testenv.SharedVictoriaLogs(t)
	const service = "batch-window"
	sink := open(t, v.URL, toVictoriaLogs(service))
	ns := namespace()
	events := []*v1alpha1.AuditEvent{event(ns, "a"), eventAt(ns, "b", time.Now().AddDate(2, 0, 0)), event(ns, "c")}
	errs := storeAll(t, sink, events, len(events), 1)
	contains(t, mustFail(t, errs[1], auditing.ClassPermanent).Error(), "Options.Newest")
	if errs[0] != nil || errs[2] != nil {
		t.Errorf("the others: %v, %v", errs[0], errs[2])
	}
	eachOnce(t, rows(t, v, "", service), []*v1alpha1.AuditEvent{events[0], events[2]})
}

func TestBatchGoesToTheStreamsOfItsEvents(t *testing.T) {
	t.Parallel()
	l := production.get(t)
	sink := open(t, l.URL, loki.Options{})
	events := map[string][]*v1alpha1.AuditEvent{}
	var all []*v1alpha1.AuditEvent
	namespaces := []string{namespace(), namespace(), namespace(), namespace()}
	for _, ns := range namespaces {
		mustWriteAll(t, sink, event(ns, "newest"))
	}
	for i := range 400 {
		ns := namespaces[i%len(namespaces)]
		ae := event(ns, "on time")
		if i < 8 { // behind its stream
			ae = eventAt(ns, "late", time.Now().Add(-time.Duration(i+2)*time.Hour))
		}
		events[ns] = append(events[ns], ae)
		all = append(all, ae)
	}
	mustStoreAll(t, sink, all, len(all), 1)
	mustStoreAll(t, sink, all, len(all), 1)
	for _, ns := range namespaces {
		late := 0
		var entries []testenv.Entry
		for _, e := range stored(t, l, "", ns) {
			if parsed(t, e).Spec.Reason == "newest" {
				continue
			}
			entries = append(entries, e)
			if e.Labels["late"] != "" {
				late++
			}
		}
		sameEvents(t, entries, events[ns])
		if late != 2 {
			t.Errorf("%d entries are marked late, want 2", late)
		}
	}
}

func TestABatchMayBeLargerThanMaxPendingBytes(t *testing.T) {
	t.Parallel()
	l := permissive.get(t)
	sink := open(t, l.URL, loki.Options{MaxPendingBytes: 2 << 20})
	ns := namespace()
	var events []*v1alpha1.AuditEvent
	for range 120 {
		events = append(events, large(ns, 60_000))
	}
	mustStoreAll(t, sink, events, 60, 2) // 3.6 MB each, at the same time
	sameEvents(t, stored(t, l, "", ns), events)
}

func TestBatchesOfTwentyThousandEventsAreStoredOnce(t *testing.T) {
	for _, writers := range []int{8, 1} {
		t.Run(fmt.Sprintf("from %d writers", writers), func(t *testing.T) {
			t.Parallel()
			l := permissive.get(t)
			sink := open(t, l.URL, loki.Options{})
			ns := namespace()
			events := twentyThousand(ns)
			start := time.Now()
			mustStoreAll(t, sink, events, driver.Of(sink).Info().Batch, writers)
			t.Logf("%.0f events/s", float64(len(events))/time.Since(start).Seconds())
			entries := stored(t, l, "", ns)
			sameEvents(t, entries, events)
			for i, e := range entries {
				if !e.Time.Equal(auditing.EventTime(events[i])) || e.Metadata["event"] != events[i].Name {
					t.Fatalf("entry %d is %s of %s, want %s of %s", i, e.Metadata["event"], e.Time, events[i].Name, auditing.EventTime(events[i]))
				}
			}
		})
	}
}

func twentyThousand(ns string) []*v1alpha1.AuditEvent {
	events := make([]*v1alpha1.AuditEvent, 20_000)
	for i := range events {
		events[i] = event(ns, fmt.Sprintf("event %d", i))
	}
	return events
}

func TestVictoriaLogsHoldsBatchesOnceEach(t *testing.T) {
	t.Parallel()
	v := testenv.SharedVictoriaLogs(t)
	const service = "batches"
	sink := open(t, v.URL, toVictoriaLogs(service))
	events := twentyThousand(namespace())
	mustStoreAll(t, sink, events, driver.Of(sink).Info().Batch, 4)
	eachOnce(t, rows(t, v, "", service), events)
}

func TestABatchWaitsForTheDiskOnce(t *testing.T) {
	t.Parallel()
	v := testenv.SharedVictoriaLogs(t)
	grown(t, v)
	var asked atomic.Int64
	front := proxyTo(t, v.URL, func(r *http.Request) {
		if r.URL.Path == "/metrics" {
			asked.Add(1)
		}
	})
	opts := toVictoriaLogs("batch-to-disk")
	opts.Level = auditing.LevelAcknowledged
	sink := open(t, front, opts)
	const toDisk = 500 * time.Millisecond
	loki.ReachDiskIn(sink, toDisk)
	if got := driver.Of(sink).Info(); got.Batch != 4096 || got.Level != auditing.LevelAcknowledged || got.Repeats != driver.RepeatsFolded {
		t.Errorf("the sink says of itself %+v", got)
	}
	ns := namespace()
	events := make([]*v1alpha1.AuditEvent, 4096)
	for i := range events {
		events[i] = event(ns, "x")
	}
	start := time.Now()
	mustStoreAll(t, sink, events, len(events), 1)
	if took := time.Since(start); took < toDisk {
		t.Errorf("stored after %s, want at least %s", took, toDisk)
	}
	if n := asked.Load(); n > 2 {
		t.Errorf("the server was asked %d times for its metrics, want 2", n)
	}
	eachOnce(t, rows(t, v, "", opts.ServiceName), events)
}

// scripted answers the pushes with these statuses in turn, and repeats the last one. A
// real Loki cannot be made to answer so.
func scripted(tb testing.TB, statuses ...int) (address string, requests func() int) {
	var n atomic.Int64
	return fake(tb, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		status := statuses[min(int(n.Add(1)), len(statuses))-1]
		if status == http.StatusNoContent {
			w.WriteHeader(status)
			return
		}
		http.Error(w, "some text", status)
	}), func() int { return int(n.Load()) }
}

func TestAFailedPushIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	ns := namespace()
	events := []*v1alpha1.AuditEvent{event(ns, "a"), event(ns, "b"), event(ns, "c"), event(ns, "d")}
	for name, c := range map[string]struct {
		statuses []int
		class    auditing.Class
		say      []string
		requests int
	}{
		"408":                     {[]int{408}, auditing.ClassTransient, []string{"408", "outcome is unknown", "harmless"}, 1},
		"429":                     {[]int{429}, auditing.ClassTransient, []string{"429", "outcome is unknown", "harmless"}, 1},
		"500":                     {[]int{500}, auditing.ClassTransient, []string{"500", "outcome is unknown", "harmless"}, 1},
		"503":                     {[]int{503}, auditing.ClassTransient, []string{"503", "some text", "outcome is unknown", "harmless"}, 1},
		"260":                     {[]int{260}, auditing.ClassTransient, []string{"260", "nothing was stored"}, 1},
		"401":                     {[]int{401}, auditing.ClassPermanent, []string{"401", "credentials"}, 1},
		"400 and then 503":        {[]int{400, 503}, auditing.ClassTransient, []string{"503", "outcome is unknown", "harmless"}, 2},
		"413 and then 429":        {[]int{413, 429}, auditing.ClassTransient, []string{"429", "outcome is unknown", "harmless"}, 2},
		"400 until each is alone": {[]int{400}, auditing.ClassPermanent, []string{"400", "some text"}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, requests := scripted(t, c.statuses...)
			sink := open(t, address, loki.Options{ProveEvery: -1, RefusalGrace: -1})
			for _, err := range storeAll(t, sink, events, len(events), 1) {
				contains(t, mustFail(t, err, c.class).Error(), c.say...)
			}
			if n := requests(); n != c.requests {
				t.Errorf("%d pushes, want %d", n, c.requests)
			}
		})
	}
	for _, err := range storeAll(t, open(t, permissiveKilled(t), loki.Options{}), events, len(events), 1) {
		contains(t, mustFail(t, err, auditing.ClassTransient).Error(), "not sent", "connection refused")
	}
}

func TestEventsProvedBy400SurviveALaterFailure(t *testing.T) {
	t.Parallel()
	ns := namespace()
	good := []*v1alpha1.AuditEvent{event(ns, "a"), event(ns, "b"), event(ns, "c")}
	old := eventAt(ns, "old", time.Now().Add(-8*24*time.Hour))
	var n atomic.Int64
	address := fake(t, func(w http.ResponseWriter, r *http.Request) { // a real Loki cannot be made to fail at this moment
		compressed, _ := io.ReadAll(r.Body)
		body, err := s2.Decode(nil, compressed)
		switch {
		case err != nil:
			t.Error(err)
		case n.Add(1) == 1:
			http.Error(w, "entry for stream '{}' has timestamp too old: 2020-01-01T00:00:00Z, oldest acceptable timestamp is: "+
				time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), http.StatusBadRequest)
		case strings.Contains(string(body), `late="sent"`):
			w.WriteHeader(http.StatusNoContent)
		default:
			http.Error(w, "too much", http.StatusTooManyRequests)
		}
	})
	sink := open(t, address, loki.Options{ProveEvery: -1})
	errs := storeAll(t, sink, []*v1alpha1.AuditEvent{good[0], old, good[1], good[2]}, 4, 1)
	if errs[1] != nil {
		t.Errorf("the old event: %v", errs[1])
	}
	for _, i := range []int{0, 2, 3} {
		contains(t, mustFail(t, errs[i], auditing.ClassTransient).Error(), "429", "outcome is unknown")
	}
}

func TestABatchEndsWithItsContextAndWithClose(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 100)
	address := fake(t, func(_ http.ResponseWriter, r *http.Request) { // it hangs, which a real Loki does not do for long
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	sink, err := loki.New(address, loki.Options{ProveEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	var events []*driver.Event
	for _, name := range []string{"first", "second", "third"} {
		ae := event("ns-"+name, "x")
		ae.Name = name
		e, err := driver.Prepare(ae, "")
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	d := driver.Of(sink)
	ctx, cancel := context.WithCancel(t.Context())
	outcomes := make(chan []error, 1)
	store := func() {
		outcomes <- d.Store(ctx, events)
	}
	all := func(class auditing.Class) {
		t.Helper()
		errs := <-outcomes
		if len(errs) != len(events) {
			t.Fatalf("%d outcomes, want %d", len(errs), len(events))
		}
		for _, err := range errs {
			mustFail(t, err, class)
		}
	}
	go store()
	<-arrived
	cancel()
	all(auditing.ClassTimeout)
	store() // with a context that has ended
	all(auditing.ClassTimeout)

	ctx = t.Context()
	go store()
	eventually(t, func() bool { return loki.Writing(sink) == len(events) })
	ended, end := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer end()
	err = sink.Close(ended)
	if err == nil {
		t.Fatal("Close returned nil")
	}
	contains(t, err.Error(), "ns-first/first, ns-second/second, ns-third/third")
	all(auditing.ClassClosed)
	store()
	all(auditing.ClassClosed)
}
