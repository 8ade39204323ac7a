package retention_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/retention"
)

// The server comes back without the past in which the list began, so the pass
// also has to go on from a continue token that has expired.
func TestPassSurvivesARestartOfTheAPIServer(t *testing.T) {
	server, err := testenv.StartKube()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	const expired, kept = 900, 100
	c, ns := newClient(t, server.Config), server.Namespace(t)
	var left []string
	events := make([]*v1alpha1.AuditEvent, 0, expired+kept)
	for i := range expired {
		events = append(events, event(ns, numbered("old", i), v1alpha1.AuditKindEgressAllow, 31*day))
	}
	for i := range kept {
		left = append(left, numbered("young", i))
		events = append(events, event(ns, numbered("young", i), v1alpha1.AuditKindEgressAllow, 29*day))
	}
	create(t, c, events...)

	var q requests
	var restart sync.Once
	restarted := make(chan error, 1)
	q.before = func(r *http.Request) {
		if r.Method != http.MethodDelete || q.deletes.Load() < expired/3 {
			return
		}
		restart.Do(func() {
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				err := server.KillAPIServer()
				if err == nil {
					err = server.CompactEtcd(ctx)
				}
				if err == nil {
					err = server.RestartAPIServer(ctx)
				}
				restarted <- err
			}()
		})
	}
	reg := prometheus.NewRegistry()
	r := newReaper(t, q.counted(server.Config), retention.Policy{DeletesPerSecond: 1000}, retention.Options{Registerer: reg})
	begin := time.Now()
	sum, err := r.Pass(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v in %s: %d lists, %d of them answered 410, %d deletes", sum, time.Since(begin).Round(time.Millisecond),
		q.lists.Load(), q.expired.Load(), q.deletes.Load())
	same(t, names(t, newClient(t, server.Config), ns), left)
	if sum.Deleted+sum.Gone != expired || sum.Failed != 0 {
		t.Errorf("%+v, want %d deleted or, where an answer was lost, gone", sum, expired)
	}
	if q.expired.Load() == 0 {
		t.Error("no list was answered with 410, so the test shows less than it says")
	}
	if value(t, reg, "paddock_audit_reaper_failures_total", "delete") == 0 {
		t.Error("the failed attempts were not counted")
	}
}
