package loki_test

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

// large returns an event whose line has about size bytes, of up to 100 KiB.
func large(ns string, size int) *v1alpha1.AuditEvent {
	ae := event(ns, "large")
	ae.Spec.Detail = map[string]string{}
	for i := 0; size > 0; i++ {
		ae.Spec.Detail["part-"+string(rune('a'+i))] = noise(min(size, 4000))
		size -= 4000
	}
	return ae
}

func noise(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.N(len(letters))]
	}
	return string(b)
}

func TestTrap400HidesARateLimitAndABadEvent(t *testing.T) {
	t.Parallel()
	l := testenv.NewLoki(t, testenv.LokiOptions{ProductionLimits: true, Limits: map[string]any{
		"max_line_size":               "8KB", // so that this Loki refuses long events for good
		"per_stream_rate_limit":       "400KB",
		"per_stream_rate_limit_burst": "100KB",
		// A shard is a stream of its own, and Loki does not recognise a repeat in another shard.
		"shard_streams": map[string]any{"enabled": false},
	}})
	sink := retried(t, open(t, l.URL, loki.Options{}), time.Minute)
	ns := namespace()
	first := event(ns, "first")
	mustWriteAll(t, sink, first)
	var good, bad, all []*v1alpha1.AuditEvent
	for i := range 400 {
		ae := large(ns, 1000)
		if i%50 == 7 {
			ae = large(ns, 12_000)
			bad = append(bad, ae)
		} else {
			good = append(good, ae)
		}
		all = append(all, ae)
	}
	isBad := map[*v1alpha1.AuditEvent]bool{}
	for _, ae := range bad {
		isBad[ae] = true
	}
	for i, err := range writeAll(t, sink, all) {
		if isBad[all[i]] {
			contains(t, mustFail(t, err, auditing.ClassPermanent).Error(), "max entry size '8192' bytes exceeded")
		} else if err != nil {
			t.Fatal(err)
		}
	}
	closeChunks(t, l)
	entries := stored(t, l, "", ns)
	for deadline := time.Now().Add(time.Minute); len(entries) != len(good)+1; entries = stored(t, l, "", ns) {
		if time.Now().After(deadline) {
			t.Fatalf("Loki holds %d entries of %d events a minute after its chunks were closed", len(entries), len(good)+1)
		}
	}
	sameEvents(t, entries, append(good, first))
}

// closeChunks makes Loki write its chunks to the store. Before a chunk is closed, Loki
// recognises only repeats of entries in the last 256 KiB of the stream, and a query may
// find other repeated entries twice.
func closeChunks(t *testing.T, l *testenv.Loki) {
	t.Helper()
	resp, err := http.Post(l.URL+"/flush", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("flush: %s", resp.Status)
	}
}

func TestTrapRateLimitOfTheTenantDelaysButLosesNothing(t *testing.T) {
	t.Parallel()
	l := testenv.NewLoki(t, testenv.LokiOptions{ProductionLimits: true}) // 4 MB/s, bursts of 6 MB
	beyondTheLimit(t, l, 4)
}

func TestTrapRateLimitOfAStreamDelaysButLosesNothing(t *testing.T) {
	t.Parallel()
	l := testenv.NewLoki(t, testenv.LokiOptions{ProductionLimits: true, Limits: map[string]any{
		"ingestion_rate_mb": 1024, "ingestion_burst_size_mb": 1024, // so that the limits of the stream are reached first: 3 MB/s, bursts of 15 MB
		"shard_streams": map[string]any{"enabled": false}, // shards would raise the limits
	}})
	beyondTheLimit(t, l, 1)
}

// beyondTheLimit writes 24 MB at once to this many streams of one tenant.
func beyondTheLimit(t *testing.T, l *testenv.Loki, streams int) {
	var limited atomic.Int64
	address := before(t, l, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&statusWriter{ResponseWriter: w, on: func(status int) {
			if status == http.StatusTooManyRequests {
				limited.Add(1)
			}
		}}, r)
	})
	sink := retried(t, open(t, address, loki.Options{}), time.Minute)
	events := map[string][]*v1alpha1.AuditEvent{}
	var all []*v1alpha1.AuditEvent
	for range streams {
		ns := namespace()
		for range 24_000_000 / 60_000 / streams {
			ae := large(ns, 60_000)
			events[ns] = append(events[ns], ae)
			all = append(all, ae)
		}
	}
	mustWriteAll(t, sink, all...)
	// Entries that were stored although the push was answered 429 were sent again after others.
	closeChunks(t, l)
	for ns := range events {
		eventually(t, func() bool { return len(stored(t, l, "", ns)) == len(events[ns]) })
		sameEvents(t, stored(t, l, "", ns), events[ns])
	}
	if limited.Load() == 0 {
		t.Error("Loki has not limited anything: the test shows nothing")
	}
}

type statusWriter struct {
	http.ResponseWriter
	on func(status int)
}

func (s *statusWriter) WriteHeader(status int) {
	s.on(status)
	s.ResponseWriter.WriteHeader(status)
}

func TestTrap300KBReasonIsStoredShortened(t *testing.T) {
	t.Parallel()
	l := production.get(t)
	sink := open(t, l.URL, loki.Options{})
	ae := event(namespace(), strings.Repeat("because ", 300<<10/8))
	mustWriteAll(t, sink, ae)
	entries := stored(t, l, "", ae.Namespace)
	sameEvents(t, entries, []*v1alpha1.AuditEvent{ae})
	contains(t, parsed(t, entries[0]).Spec.Reason, "because because", "[307200 bytes, sha256 ")
}

func TestTrapAnnotationsBeyondTheLineLimitAreShortened(t *testing.T) {
	t.Parallel()
	l := production.get(t)
	sink := open(t, l.URL, loki.Options{})
	ae := event(namespace(), "kept in full")
	ae.Annotations = map[string]string{"example.com/big": strings.Repeat("\x01", 200<<10), "example.com/small": "small"}
	mustWriteAll(t, sink, ae)
	entries := stored(t, l, "", ae.Namespace)
	sameEvents(t, entries, []*v1alpha1.AuditEvent{ae})
	got := parsed(t, entries[0])
	if got.Spec.Reason != "kept in full" || got.Annotations["example.com/small"] != "small" {
		t.Errorf("more was shortened than had to be: %.300s", entries[0].Line)
	}
	contains(t, got.Annotations["example.com/big"], "[204800 bytes, sha256 ")
}

func TestTrapNoRequestPasses1MiB(t *testing.T) {
	t.Parallel()
	l := permissive.get(t)
	var largest, requests atomic.Int64
	address := before(t, l, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		compressed, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		size, err := s2.DecodedLen(compressed)
		if err != nil {
			t.Error(err)
		}
		for {
			most := largest.Load()
			if int64(size) <= most || largest.CompareAndSwap(most, int64(size)) {
				break
			}
		}
		requests.Add(1)
		r.Body = io.NopCloser(strings.NewReader(string(compressed)))
		next.ServeHTTP(w, r)
	})
	sink := open(t, address, loki.Options{})
	ns := namespace()
	var events []*v1alpha1.AuditEvent
	for range 100 {
		events = append(events, large(ns, 90_000))
	}
	mustWriteAll(t, sink, events...)
	sameEvents(t, stored(t, l, "", ns), events)
	if most := largest.Load(); most > 1<<20 || most < 700_000 {
		t.Errorf("the largest of %d requests has %d bytes, want up to 1 MiB and well used", requests.Load(), most)
	}
}
