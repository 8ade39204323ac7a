package retention_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/retention"
)

// series returns every value of a registry by name and label value; a histogram
// counts as its number of observations.
func series(tb testing.TB, reg prometheus.Gatherer) map[string]float64 {
	tb.Helper()
	families, err := reg.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			parts := []string{f.GetName()}
			for _, l := range m.GetLabel() {
				parts = append(parts, l.GetValue())
			}
			all[strings.Join(parts, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func value(tb testing.TB, reg prometheus.Gatherer, name ...string) float64 {
	tb.Helper()
	v, ok := series(tb, reg)[strings.Join(name, " ")]
	if !ok {
		tb.Fatalf("there is no series %v", name)
	}
	return v
}

func TestEverySeriesIsThereFromTheStart(t *testing.T) {
	reg := prometheus.NewRegistry()
	newReaper(t, testenv.SharedKube(t).Config, retention.Policy{}, retention.Options{Registerer: reg})
	want := []string{
		"paddock_audit_reaper_archived_total",
		"paddock_audit_reaper_deleted_total",
		"paddock_audit_reaper_failures_total archive",
		"paddock_audit_reaper_failures_total claim",
		"paddock_audit_reaper_failures_total delete",
		"paddock_audit_reaper_failures_total list",
		"paddock_audit_reaper_failures_total tombstone",
		"paddock_audit_reaper_last_success_timestamp_seconds",
		"paddock_audit_reaper_leader",
		"paddock_audit_reaper_oldest_overdue_seconds",
		"paddock_audit_reaper_pass_duration_seconds",
		"paddock_audit_reaper_passes_total failed",
		"paddock_audit_reaper_passes_total ok",
		"paddock_audit_reaper_tombstones_total",
	}
	all := series(t, reg)
	var got []string
	for name, v := range all {
		got = append(got, name)
		if v != 0 {
			t.Errorf("%s begins at %v", name, v)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("series\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMetricsCountWhatPassDeletedAndWhatStayed(t *testing.T) {
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	create(t, newClient(t, server.Config),
		event(ns, "fine", v1alpha1.AuditKindEgressAllow, day), event(ns, "stuck", v1alpha1.AuditKindEgressAllow, day))
	archive := &refusing{names: []string{"stuck"}}
	reg := prometheus.NewRegistry()
	r := newReaper(t, server.Config, restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day}),
		retention.Options{Registerer: reg, Archive: archive, Now: func() time.Time { return time.Now().Add(9 * day) }})
	if _, err := r.Pass(t.Context()); err == nil {
		t.Error("the pass had to leave an event and is called a success")
	}
	wantSeries := func(when string, want map[string]float64) {
		t.Helper()
		all := series(t, reg)
		for name, v := range want {
			if got := all["paddock_audit_reaper_"+name]; got != v {
				t.Errorf("%s, %s is %v, want %v", when, name, got, v)
			}
		}
	}
	wantSeries("after a failure", map[string]float64{
		"deleted_total": 1, "archived_total": 1, "failures_total archive": 1, "failures_total delete": 0,
		"passes_total failed": 1, "passes_total ok": 0, "last_success_timestamp_seconds": 0, "pass_duration_seconds": 1,
	})
	if overdue := value(t, reg, "paddock_audit_reaper_oldest_overdue_seconds"); overdue < (2*day).Seconds() || overdue > (2*day).Seconds()+60 {
		t.Errorf("an event of nine days that is kept for seven is overdue by %v s", overdue)
	}
	archive.names = nil
	if _, err := r.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantSeries("after a success", map[string]float64{
		"deleted_total": 2, "archived_total": 2, "passes_total failed": 1, "passes_total ok": 1, "oldest_overdue_seconds": 0,
	})
	if value(t, reg, "paddock_audit_reaper_last_success_timestamp_seconds") == 0 {
		t.Error("the success has no time")
	}
}
