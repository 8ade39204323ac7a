package retention_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/retention"
)

var (
	_ manager.Runnable               = (*retention.Reaper)(nil)
	_ manager.LeaderElectionRunnable = (*retention.Reaper)(nil)
)

// replica is a manager with a reaper in it.
type replica struct {
	requests

	reg  *prometheus.Registry
	stop context.CancelFunc
	end  chan error
}

func startReplica(t *testing.T, k *testenv.Kube, leaseNamespace string, p retention.Policy) *replica {
	t.Helper()
	r := &replica{reg: prometheus.NewRegistry(), end: make(chan error, 1)}
	lease, renew, retry := 3*time.Second, 2*time.Second, 100*time.Millisecond
	mgr, err := ctrl.NewManager(r.counted(k.Config), ctrl.Options{
		Logger: ctrl.Log, Metrics: server.Options{BindAddress: "0"},
		LeaderElection: true, LeaderElectionID: "audit-reaper", LeaderElectionNamespace: leaseNamespace,
		LeaderElectionReleaseOnCancel: true, LeaseDuration: &lease, RenewDeadline: &renew, RetryPeriod: &retry,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := mgr.Add(newReaper(t, r.counted(k.Config), p, retention.Options{Registerer: r.reg})); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.end <- mgr.Start(ctx) }()
	return r
}

// until waits for a condition and fails the test when it does not come.
func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !reached(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

func TestTwoReplicasDeleteNothingTwice(t *testing.T) {
	k := testenv.SharedKube(t)
	c, ns := newClient(t, k.Config), k.Namespace(t)
	const expired = 600
	events := make([]*v1alpha1.AuditEvent, 0, expired+1)
	for i := range expired {
		events = append(events, event(ns, numbered("old", i), "egress-allow", 8*day))
	}
	create(t, c, append(events, event(ns, "young", "egress-allow", 6*day))...)
	policy := restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day})
	policy.DeletesPerSecond = 200

	first := startReplica(t, k, ns, policy)
	until(t, "the first replica's deletes", func() bool { return first.deletes.Load() > 0 })
	second := startReplica(t, k, ns, policy)
	until(t, "a third of the work", func() bool { return first.deleted.Load() >= expired/3 })
	if n := second.deletes.Load(); n != 0 {
		t.Errorf("the replica that does not lead has sent %d deletes", n)
	}
	if value(t, first.reg, "paddock_audit_reaper_leader") != 1 || value(t, second.reg, "paddock_audit_reaper_leader") != 0 {
		t.Error("the metrics do not say who leads")
	}
	first.stop()
	if err := <-first.end; err != nil {
		t.Errorf("the first replica: %v", err)
	}
	if value(t, first.reg, "paddock_audit_reaper_leader") != 0 {
		t.Error("the replica that was stopped says that it leads")
	}
	until(t, "the second replica's pass", func() bool { return value(t, second.reg, "paddock_audit_reaper_passes_total", "ok") == 1 })
	second.stop()
	if err := <-second.end; err != nil {
		t.Errorf("the second replica: %v", err)
	}

	same(t, names(t, c, ns), []string{"young"})
	sent, done := first.deletes.Load()+second.deletes.Load(), first.deleted.Load()+second.deleted.Load()
	if sent != expired || done != expired {
		t.Errorf("%d deletes were sent and %d carried out, want %d of both", sent, done, expired)
	}
	counted := value(t, first.reg, "paddock_audit_reaper_deleted_total") + value(t, second.reg, "paddock_audit_reaper_deleted_total")
	if counted != expired {
		t.Errorf("the metrics count %v deletes", counted)
	}
	t.Logf("%d deletes by the first replica, %d by the second", first.deletes.Load(), second.deletes.Load())
}

func TestPassesGoOnAtTheirInterval(t *testing.T) {
	k := testenv.SharedKube(t)
	c, ns := newClient(t, k.Config), k.Namespace(t)
	policy := restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day})
	policy.Interval = time.Second
	reg := prometheus.NewRegistry()
	r := newReaper(t, k.Config, policy, retention.Options{Registerer: reg})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Start(ctx) }()
	until(t, "the first pass", func() bool { return value(t, reg, "paddock_audit_reaper_passes_total", "ok") > 0 })
	create(t, c, event(ns, "old", "egress-allow", 8*day))
	until(t, "a pass that deletes", func() bool { return value(t, reg, "paddock_audit_reaper_deleted_total") > 0 })
	same(t, names(t, c, ns), nil)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
