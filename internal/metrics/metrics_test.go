package metrics

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

const (
	eventsName   = "paddock_audit_events_total"
	failuresName = "paddock_audit_write_failures_total"
	invalidName  = "paddock_audit_invalid_events_total"
	writesName   = "paddock_audit_writes_total"
)

// seriesFor returns the counters of one component by decision and kind.
func seriesFor(t *testing.T, name, component string) map[string]float64 {
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
	if err := Register(reg); err != nil {
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

// keepSeries undoes what a test does to the collectors and kinds.
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
	components, sinks, registered := restore(&componentLabels), restore(&sinkLabels), kinds.registered.Load()
	t.Cleanup(func() {
		components()
		sinks()
		kinds.registered.Store(registered)
		for _, v := range []interface{ Reset() }{events, failures, invalid, writes, durations} {
			v.Reset()
		}
		eventCache.held.Store(nil)
		meters.held.Store(nil)
	})
}

const (
	denied = v1alpha1.AuditDecisionDenied
	block  = v1alpha1.AuditKindEgressBlock
)

func TestEveryOutcomeCountsOnceUnderTheSameLabels(t *testing.T) {
	for _, c := range []struct {
		name            string
		o               Outcome
		failed, invalid float64
	}{
		{"stored", Stored, 0, 0},
		{"failed", Failed, 1, 0},
		{"invalid", Invalid, 0, 1},
	} {
		keepSeries(t)
		Event(c.name, denied, block, c.o)
		for name, want := range map[string]float64{eventsName: 1, failuresName: c.failed, invalidName: c.invalid} {
			if got, want := seriesFor(t, name, c.name), map[string]float64{"denied egress-block": want}; !maps.Equal(got, want) {
				t.Errorf("%s: %s is %v, want %v", c.name, name, got, want)
			}
		}
	}
}

func TestTheSeriesOfAFailureIsThereAtZeroBeforeTheFirst(t *testing.T) {
	keepSeries(t)
	Event("zero", denied, block, Stored)
	if got, want := seriesFor(t, failuresName, "zero"), map[string]float64{"denied egress-block": 0}; !maps.Equal(got, want) {
		t.Errorf("failures %v, want %v", got, want)
	}
	Event("zero", denied, block, Failed)
	Event("zero", denied, block, Failed)
	if got, want := seriesFor(t, failuresName, "zero"), map[string]float64{"denied egress-block": 2}; !maps.Equal(got, want) {
		t.Errorf("failures %v, want %v", got, want)
	}
	if got, want := seriesFor(t, eventsName, "zero"), map[string]float64{"denied egress-block": 3}; !maps.Equal(got, want) {
		t.Errorf("events %v, want %v: failed ones count too", got, want)
	}
}

func TestInventedKindsAndComponentsMakeNoSeriesWithoutEnd(t *testing.T) {
	keepSeries(t)
	Event("", "maybe", "Not a label", Invalid)
	for i := range 10_000 {
		name := fmt.Sprintf("invented-%d", i)
		Event(name, denied, v1alpha1.AuditKind(name), Failed)
		m := MeterOf(name)
		m.Took(time.Millisecond)
		m.Stored(1)
		m.Failed("transient")
	}
	for name, family := range gathered(t) {
		most := maxLabelValues + 2
		if name == writesName {
			most *= 2 // two results of each
		}
		if n := len(family.GetMetric()); n > most {
			t.Errorf("%s has %d series", name, n)
		}
	}
	if got := seriesFor(t, failuresName, Other)["denied other"]; got < 9_000 {
		t.Errorf("%v of 10,000 failures are counted as other", got)
	}
	if got := seriesFor(t, invalidName, "")["other other"]; got != 1 {
		t.Errorf("an unknown decision is counted %v times as other", got)
	}
}

func TestAMeterCountsWritesByTheirResult(t *testing.T) {
	keepSeries(t)
	m := MeterOf("metered")
	m.Took(time.Second)
	m.Stored(3)
	m.Stored(0)
	m.Failed("transient")
	if again := MeterOf("metered"); again != m {
		t.Error("a second meter of the same name is another one")
	}
	got := map[string]float64{}
	for _, w := range gathered(t)[writesName].GetMetric() {
		got[w.GetLabel()[0].GetValue()] = w.GetCounter().GetValue()
	}
	if want := map[string]float64{"ok": 3, "transient": 1}; !maps.Equal(got, want) {
		t.Errorf("writes %v, want %v", got, want)
	}
	if h := gathered(t)["paddock_audit_write_duration_seconds"].GetMetric()[0].GetHistogram(); h.GetSampleCount() != 1 || h.GetSampleSum() != 1 {
		t.Errorf("%d samples of %v s in all", h.GetSampleCount(), h.GetSampleSum())
	}
}

func TestConcurrentCountsAreAllThere(t *testing.T) {
	keepSeries(t)
	const writers, each = 8, 200
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				Event("busy", denied, block, Failed)
				MeterOf("busy").Stored(1)
			}
		})
	}
	wg.Wait()
	if got := seriesFor(t, failuresName, "busy")["denied egress-block"]; got != writers*each {
		t.Errorf("%v failures, want %d", got, writers*each)
	}
	if got := gathered(t)[writesName].GetMetric()[0].GetCounter().GetValue(); got != writers*each {
		t.Errorf("%v writes, want %d", got, writers*each)
	}
}

func TestMetricsCanBeRegisteredTwice(t *testing.T) {
	for range 2 {
		reg := prometheus.NewRegistry()
		for range 2 {
			if err := Register(reg); err != nil {
				t.Error(err)
			}
		}
	}
	taken := prometheus.NewRegistry()
	taken.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: writesName, Help: "another"}))
	if err := Register(taken); err == nil {
		t.Error("no error for a name that is taken")
	}
}

func TestTheMetricsHaveTheNamesAndLabelsThatAreDocumented(t *testing.T) {
	keepSeries(t)
	Event("names", denied, block, Failed)
	MeterOf("names").Took(time.Millisecond)
	MeterOf("names").Failed("transient")
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
		"paddock_audit_dry_run_events_total{}",
		eventsName + "{component,decision,kind}",
		invalidName + "{component,decision,kind}",
		"paddock_audit_pruned_events_total{}",
		"paddock_audit_write_duration_seconds{sink}",
		failuresName + "{component,decision,kind}",
		writesName + "{result,sink}",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
