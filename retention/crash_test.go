package retention_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/retention"
)

// expiredEnv makes the test use so many expired events instead of 10,000.
const expiredEnv = "AUDIT_REAPER_EXPIRED"

const mostHeap = 64 << 20

func orderFor(cfg *rest.Config, p retention.Policy) order {
	return order{Host: cfg.Host, Token: cfg.BearerToken, CA: cfg.CAData, Policy: p}
}

// A pass over 20,000 events, half of them expired, in three namespaces with
// different retentions and one rule for a kind, by reapers that are killed.
func TestKilledReaperDeletesExactlyTheExpiredEvents(t *testing.T) {
	server, err := testenv.StartKube()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	expired := 3000
	if text := os.Getenv(expiredEnv); text != "" {
		if expired, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", expiredEnv, err)
		}
	}
	kept := min(expired, 10000)
	c := newClient(t, server.Config)
	week, month, quarter := server.Namespace(t), server.Namespace(t), server.Namespace(t)
	policy := retention.Policy{
		Rules: []retention.Rule{
			{Namespace: week, Keep: 7 * day},
			{Namespace: quarter, Keep: 90 * day},
			{Namespace: quarter, Kind: v1alpha1.AuditKindEgressAllow, Keep: 2 * day},
		},
		DeletesPerSecond: 10000,
	}
	// Each namespace gets events that would be expired, or kept, in another one.
	sorts := []struct {
		ns         string
		kind       v1alpha1.AuditKind
		old, young time.Duration
	}{
		{week, v1alpha1.AuditKindEgressAllow, 8 * day, 6 * day},
		{month, v1alpha1.AuditKindCredentialIssued, 31 * day, 29 * day},
		{quarter, v1alpha1.AuditKindCredentialIssued, 91 * day, 89 * day},
		{quarter, v1alpha1.AuditKindEgressAllow, 3 * day, 45 * time.Hour},
	}
	begin := time.Now()
	events := make([]*v1alpha1.AuditEvent, 0, expired+kept)
	var left []string
	for i := range max(expired, kept) {
		s := sorts[i%len(sorts)]
		if i < expired {
			events = append(events, event(s.ns, numbered("old", i), s.kind, s.old))
		}
		if i < kept {
			name := numbered("young", i)
			events = append(events, event(s.ns, name, s.kind, s.young))
			left = append(left, name)
		}
	}
	create(t, c, events...)
	t.Logf("%d events stored in %s", len(events), time.Since(begin).Round(time.Millisecond))

	o := orderFor(server.Config, policy)
	const kills = 10
	begin = time.Now()
	for i := range kills {
		// Each kill comes after a number of requests of its own, at most half of them all in sum.
		if !killedAfter(t, o, 1+expired/(2*kills)*(i+1)/kills) {
			t.Fatalf("the reaper was done before its kill %d", i+1)
		}
	}
	t.Logf("%d kills in %s, %d events left", kills, time.Since(begin).Round(time.Millisecond), len(names(t, c, "")))
	out := toTheEnd(t, o)
	same(t, names(t, c, ""), left)
	t.Logf("the last pass: %d seen, %d deleted in %s (%.0f/s), %d lists, %d deletes, heap at most %.1f MiB, resident at most %.1f MiB",
		out.Summary.Seen, out.Summary.Deleted, out.Took.Round(time.Millisecond), float64(out.Summary.Deleted)/out.Took.Seconds(),
		out.Lists, out.Deletes, float64(out.PeakHeap)/(1<<20), float64(out.PeakRSS)/(1<<20))
	if out.PeakHeap == 0 || out.PeakHeap >= mostHeap {
		t.Errorf("the heap took %d bytes, want fewer than %d", out.PeakHeap, mostHeap)
	}
	if out.Summary.Deleted < expired/4 || out.Summary.Overdue != 0 {
		t.Errorf("%+v: want most of the work done by the last pass, which the kills left over", out.Summary)
	}
}

func TestDeletedEventsAreArchivedHoweverOftenReaperIsKilled(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	const expired, kills = 500, 4
	events := make([]*v1alpha1.AuditEvent, 0, expired)
	for i := range expired {
		events = append(events, event(ns, numbered("old", i), "egress-allow", 8*day))
	}
	create(t, c, events...)
	o := orderFor(server.Config, restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day}))
	o.Archive = filepath.Join(t.TempDir(), "archive.log")
	for i := range kills + 1 {
		if i == kills {
			toTheEnd(t, o)
		} else if !killedAfter(t, o, 30*(i+1)) {
			t.Fatalf("the reaper was done before its kill %d", i+1)
		}
		there, archived := names(t, c, ns), archivedIn(t, o.Archive)
		for _, ae := range events {
			if got := archived[ae.Name]; !there[ae.Name] && (got.Namespace != ns || got.Spec.Timestamp.Unix() != ae.Spec.Timestamp.Unix()) {
				t.Fatalf("after kill %d, %s is gone, and the archive has %v", i+1, ae.Name, got)
			}
		}
		if i == kills && (len(there) != 0 || len(archived) != expired) {
			t.Errorf("%d events are there, %d in the archive", len(there), len(archived))
		}
	}
}

// archivedIn returns the events of a log by name. A line that a kill cut off is
// an event that was not confirmed.
func archivedIn(t *testing.T, path string) map[string]v1alpha1.AuditEvent {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	events := map[string]v1alpha1.AuditEvent{}
	for line := range strings.Lines(string(data)) {
		var ae v1alpha1.AuditEvent
		if json.Unmarshal([]byte(line), &ae) == nil {
			events[ae.Name] = ae
		}
	}
	return events
}
