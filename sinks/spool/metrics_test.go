package spool_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/spool"
)

func TestBackgroundFailuresAreNotCountedAsFailedWrites(t *testing.T) {
	reg := prometheus.NewRegistry()
	if err := auditing.RegisterMetrics(reg); err != nil {
		t.Fatal(err)
	}
	failed := func() float64 { return sum(t, reg, "paddock_audit_write_failures_total") }
	before := failed()
	r := &sinktest.Recorder{}
	r.FailNext(5, errors.New("away"))
	s := open(t, t.TempDir(), r, quick())
	mustWrite(t, s, "ae", 1)
	drain(t, s)
	if after := failed(); after != before {
		t.Errorf("%v failed writes were counted, want none: Write succeeded", after-before)
	}
}

func sum(t *testing.T, reg prometheus.Gatherer, name string) (total float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return total
}

func TestMetricsAreThereFromTheStartAndGoWithTheSink(t *testing.T) {
	reg := prometheus.NewRegistry()
	dir := t.TempDir()
	r := &sinktest.Recorder{}
	r.FailWith(errors.New("away"))
	opts := quick()
	opts.Registerer, opts.Name = reg, "broker"
	s := open(t, dir, r, opts)
	for _, name := range []string{
		"depth", "bytes", "max_bytes", "oldest_age_seconds", "dead_letters", "delivered_total", "dead_lettered_total",
		"failed_attempts_total", "damaged_total", "torn_tails_total", "fsync_duration_seconds", "fsync_failures_total",
	} {
		if n := series(t, reg, "paddock_audit_spool_"+name); n != 1 {
			t.Errorf("%d series of %s, want 1", n, name)
		}
	}
	if _, err := spool.New(t.TempDir(), r, opts); err == nil || !strings.Contains(err.Error(), "Options.Name") {
		t.Errorf("a second spool of the name: %v, want an error that speaks of Options.Name", err)
	}
	mustWrite(t, s, "ae", 3)
	if depth := sum(t, reg, "paddock_audit_spool_depth"); depth != 3 {
		t.Errorf("the depth is %v, want 3", depth)
	}
	if sum(t, reg, "paddock_audit_spool_oldest_age_seconds") <= 0 || sum(t, reg, "paddock_audit_spool_bytes") <= 0 {
		t.Error("the oldest age or the bytes are 0")
	}
	r.FailWith(nil)
	eventually(t, "all are delivered", func() bool { return sum(t, reg, "paddock_audit_spool_delivered_total") == 3 })
	eventually(t, "nothing waits", func() bool {
		return sum(t, reg, "paddock_audit_spool_depth") == 0 && sum(t, reg, "paddock_audit_spool_bytes") == 0 &&
			sum(t, reg, "paddock_audit_spool_oldest_age_seconds") == 0
	})
	drain(t, s)
	if n := series(t, reg, ""); n != 0 {
		t.Errorf("after Close %d series are left", n)
	}
}

// series counts those of a metric, or of all.
func series(t *testing.T, reg prometheus.Gatherer, name string) (n int) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if name == "" || f.GetName() == name {
			n += len(f.GetMetric())
		}
	}
	return n
}
