package auditing

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// failureSeries returns the failure counters of one component by decision and kind.
func failureSeries(t *testing.T, component string) map[string]float64 {
	t.Helper()
	return seriesOf(t, "paddock_audit_write_failures_total", component)
}

func seriesOf(t *testing.T, name, component string) map[string]float64 {
	t.Helper()
	series := map[string]float64{}
	for _, m := range gathered(t)[name].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if labels["component"] == component {
			series[labels["decision"]+" "+labels["kind"]] = m.GetCounter().GetValue()
		}
	}
	return series
}

func gathered(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := RegisterMetrics(reg); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}

// keepSeries undoes what a test does to the metrics of this package.
func keepSeries(t *testing.T) {
	t.Helper()
	restore := func(l *labelSet) func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		before := maps.Clone(l.seen)
		return func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.seen = before
		}
	}
	components, sinks := restore(&componentLabels), restore(&sinkLabels)
	t.Cleanup(func() {
		components()
		sinks()
		events.Reset()
		failures.Reset()
		writes.Reset()
		durations.Reset()
		eventCache.held.Store(nil)
		writeCache.held.Store(nil)
	})
}

func TestAFailureCountsOnceHoweverDeepTheChain(t *testing.T) {
	keepSeries(t)
	sink := func(ctx context.Context, ae *v1alpha1.AuditEvent) error {
		return Deliver(ctx, Target{Sink: "leaf", Component: "deep"}, ae, failing(errRefused))
	}
	for _, name := range []string{"inner", "outer"} {
		next := sink
		sink = func(ctx context.Context, ae *v1alpha1.AuditEvent) error {
			return Deliver(ctx, Target{Sink: name, Stage: true}, ae, func(ctx context.Context, ae *v1alpha1.AuditEvent) error {
				_ = next(ctx, ae) // as a stage does that tries again
				return next(ctx, ae)
			})
		}
	}
	err := sink(t.Context(), NewEgressBlock(egressInput))
	if failed := writeError(t, err); failed.Sink != "outer" || failed.Component != "deep" {
		t.Errorf("the outermost error is of sink %q, component %q", failed.Sink, failed.Component)
	}
	if got, want := failureSeries(t, "deep"), map[string]float64{"denied egress-block": 1}; !maps.Equal(got, want) {
		t.Errorf("failures %v, want %v", got, want)
	}
	if got, want := seriesOf(t, "paddock_audit_events_total", "deep"), map[string]float64{"denied egress-block": 1}; !maps.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	tries := map[string]float64{}
	for _, m := range gathered(t)["paddock_audit_writes_total"].GetMetric() {
		tries[m.GetLabel()[1].GetValue()+" "+m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
	}
	for sink, want := range map[string]float64{"leaf transient": 4, "inner transient": 2, "outer transient": 1} {
		if tries[sink] != want {
			t.Errorf("writes of %s: %v, want %v", sink, tries[sink], want)
		}
	}
}

func TestAFailureInTheBackgroundIsNoFailedWriteOfACaller(t *testing.T) {
	keepSeries(t)
	if err := Deliver(Nested(t.Context()), Target{Sink: "leaf", Component: "background"}, NewEgressBlock(egressInput), failing(errRefused)); err == nil {
		t.Fatal("no error")
	}
	if got := failureSeries(t, "background"); len(got) != 0 {
		t.Errorf("failures %v", got)
	}
}

func TestTheSeriesOfAFailureIsThereAtZeroBeforeTheFirst(t *testing.T) {
	keepSeries(t)
	target := Target{Sink: "test", Component: "zero"}
	write := func(send Transport) { _ = Deliver(t.Context(), target, NewEgressBlock(egressInput), send) }
	write(discard)
	if got, want := failureSeries(t, "zero"), map[string]float64{"denied egress-block": 0}; !maps.Equal(got, want) {
		t.Errorf("failures %v, want %v", got, want)
	}
	write(failing(errRefused))
	write(failing(errRefused))
	if got, want := failureSeries(t, "zero"), map[string]float64{"denied egress-block": 2}; !maps.Equal(got, want) {
		t.Errorf("failures %v, want %v", got, want)
	}
	if got, want := seriesOf(t, "paddock_audit_events_total", "zero"), map[string]float64{"denied egress-block": 3}; !maps.Equal(got, want) {
		t.Errorf("events %v, want %v: failed ones count too", got, want)
	}
}

func TestInventedKindsAndComponentsMakeNoSeriesWithoutEnd(t *testing.T) {
	keepSeries(t)
	for i := range 10_000 {
		name := fmt.Sprintf("invented-%d", i)
		ae := NewEvent(EventInput{Kind: v1alpha1.AuditKind(name), Decision: v1alpha1.AuditDecisionDenied, Namespace: ns})
		_ = Deliver(t.Context(), Target{Sink: name, Component: name}, ae, failing(errRefused))
	}
	_ = Deliver(t.Context(), Target{Sink: "test"}, NewEvent(EventInput{Kind: "Not a label", Decision: "maybe"}), discard)
	for name, family := range gathered(t) {
		if n := len(family.GetMetric()); n > maxLabelValues+2 {
			t.Errorf("%s has %d series", name, n)
		}
	}
	if got := failureSeries(t, otherLabel)["denied other"]; got < 9_000 {
		t.Errorf("%v of 10,000 failures are counted as other", got)
	}
}

func TestMetricsRegisterTwiceWithOneRegistryAndOnceWithEachOfSeveral(t *testing.T) {
	for range 2 {
		reg := prometheus.NewRegistry()
		for range 2 {
			if err := RegisterMetrics(reg); err != nil {
				t.Error(err)
			}
		}
	}
	taken := prometheus.NewRegistry()
	taken.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "paddock_audit_writes_total", Help: "another"}))
	if err := RegisterMetrics(taken); err == nil {
		t.Error("no error for a name that is taken")
	}
}

func TestTheMetricsHaveTheNamesAndLabelsThatAreDocumented(t *testing.T) {
	keepSeries(t)
	_ = Deliver(t.Context(), Target{Sink: "test", Component: "names"}, NewEgressBlock(egressInput), failing(errRefused))
	var got []string
	for name, family := range gathered(t) {
		var labels []string
		for _, l := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		got = append(got, name+"{"+strings.Join(labels, ",")+"}")
	}
	slices.Sort(got)
	want := []string{
		"paddock_audit_events_total{component,decision,kind}",
		"paddock_audit_write_duration_seconds{sink}",
		"paddock_audit_write_failures_total{component,decision,kind}",
		"paddock_audit_writes_total{result,sink}",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
