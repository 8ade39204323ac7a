package retention_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/retention"
	"github.com/paddock-dev/audit/verify"
)

// verifies returns the report about what is there. The reaper is believed about events of at least
// this age, if it is not 0.
func (a *auditor) verifies(t *testing.T, reaps time.Duration) *verify.Report {
	t.Helper()
	may := ""
	if reaps > 0 {
		may = ", reaps: " + reaps.String()
	}
	trust, err := verify.ParseTrust(fmt.Appendf(nil, "keys: [{name: prod, key: %q, components: [proxy, audit-reaper]}]\n"+
		"components: [{name: proxy, sealedSince: 2026-01-01T00:00:00Z}, {name: audit-reaper, sealedSince: 2026-01-01T00:00:00Z%s}]\n", a.public, may))
	if err != nil {
		t.Fatal(err)
	}
	v := verify.New(trust, verify.Options{})
	for _, ae := range a.stored(t) {
		v.Add(reading.NewRecord(&ae, "cluster", ""))
	}
	return v.Report()
}

// mustBe fails unless the report has this verdict, and says that so many events were reaped.
func mustBe(t *testing.T, r *verify.Report, verdict verify.Verdict, retired int64) {
	t.Helper()
	n := int64(0)
	for _, one := range r.Trails {
		n += one.Retired
	}
	if r.Verdict != verdict || n != retired {
		t.Errorf("%s with %d retired, want %s with %d: %+v", r.Verdict, n, verdict, retired, r.Findings)
	}
}

func TestWhatAReaperNamedIsRetiredToAnAuditor(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	a := newAuditor(t, c, ns)
	young := a.writes(t, 60, 3)
	mustBe(t, a.verifies(t, 0), verify.Intact, 0)
	tombstones := a.seal(t, "audit-reaper")
	r := newReaper(t, server.Config, restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day}), retention.Options{Tombstones: tombstones, Namespace: ns})
	if sum, err := r.Pass(t.Context()); err != nil || sum.Deleted != 60 {
		t.Errorf("%+v, %v", sum, err)
	}
	closed(t, tombstones)
	mustBe(t, a.verifies(t, 5*day), verify.Intact, 60)
	mustBe(t, a.verifies(t, 0), verify.Tampered, 0)
	mustBe(t, a.verifies(t, 8*day), verify.Tampered, 0) // the tombstone is over younger events

	var gone v1alpha1.AuditEvent // one that the reaper did not name
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: young[0]}, &gone); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), &gone); err != nil {
		t.Fatal(err)
	}
	mustBe(t, a.verifies(t, 5*day), verify.Tampered, 60)
}

// Reapers are killed after so many requests that change something: leases, tombstones, checkpoints
// and deletes.
func TestAKilledReaperIsNoAlarmToAnAuditor(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	a := newAuditor(t, c, ns)
	young := a.writes(t, 150, 3)
	o := orderFor(server.Config, restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day}))
	o.Archive, o.Namespace, o.Key = filepath.Join(t.TempDir(), "archive.log"), ns, a.private
	for _, sent := range []int{1, 2, 3, 4, 5, 6, 10, 40} {
		if !killedAfter(t, o, sent) {
			t.Fatalf("the reaper was done before %d requests", sent)
		}
		if r := a.verifies(t, 5*day); r.Verdict != verify.Intact {
			t.Fatalf("killed after %d requests: %+v", sent, r.Findings)
		}
	}
	toTheEnd(t, o)
	mustBe(t, a.verifies(t, 5*day), verify.Intact, 150)
	same(t, a.left(t), young)
	if archived := archivedIn(t, o.Archive); len(archived) != 150 {
		t.Errorf("%d are archived", len(archived))
	}
	for _, one := range a.tombstones(t) {
		if one.Archive != "log("+o.Archive+")" {
			t.Errorf("archived in %s", one.Archive)
		}
	}
}
