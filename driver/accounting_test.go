package driver_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

const (
	eventsTotal  = "paddock_audit_events_total"
	failedTotal  = "paddock_audit_write_failures_total"
	invalidTotal = "paddock_audit_invalid_events_total"
	writesTotal  = "paddock_audit_writes_total"
)

// counters returns the value of every counter, by its name and labels.
func counters(t *testing.T) map[string]float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := auditing.RegisterMetrics(reg); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetCounter() == nil {
				continue
			}
			name := []string{f.GetName()}
			for _, l := range m.GetLabel() {
				name = append(name, l.GetValue())
			}
			values[strings.Join(name, " ")] = m.GetCounter().GetValue()
		}
	}
	return values
}

// rises returns which counters of events f raised, and by how much.
func rises(t *testing.T, f func()) map[string]float64 {
	t.Helper()
	before := counters(t)
	f()
	after := counters(t)
	maps.DeleteFunc(after, func(name string, value float64) bool { return value == before[name] })
	for name := range after {
		after[name] -= before[name]
	}
	return after
}

// wantRises compares the counters of events, and leaves those of writes out.
func wantRises(t *testing.T, what string, got map[string]float64, want ...string) {
	t.Helper()
	all := map[string]float64{}
	for _, name := range want {
		all[name]++
	}
	events := maps.Clone(got)
	maps.DeleteFunc(events, func(name string, _ float64) bool { return strings.HasPrefix(name, writesTotal) })
	if !maps.Equal(events, all) {
		t.Errorf("%s: counted %v, want %v", what, events, all)
	}
}

// series is a counter of an event of denial.
func series(name, component string) string {
	return name + " " + component + " denied egress-block"
}

func TestAFailureCountsOnceHoweverDeepTheChain(t *testing.T) {
	chain := auditing.Sink(newSink(stub{info: driver.Info{Name: "leaf", Component: "deep"}, store: failing(errRefused)}))
	for _, name := range []string{"inner", "outer"} {
		next, err := newStage(name, "", 2, chain) // as a stage does that tries again
		if err != nil {
			t.Fatal(err)
		}
		chain = next
	}
	var err error
	got := rises(t, func() { err = chain.Write(t.Context(), denial()) })
	if failed := writeError(t, err); failed.Sink != "outer" || failed.Component != "deep" {
		t.Errorf("the outermost error is of sink %q, component %q", failed.Sink, failed.Component)
	}
	wantRises(t, "a failure", got, series(eventsTotal, "deep"), series(failedTotal, "deep"))
	for sink, want := range map[string]float64{"leaf": 4, "inner": 2, "outer": 1} {
		if got := got[writesTotal+" transient "+sink]; got != want {
			t.Errorf("writes of %s: %v, want %v", sink, got, want)
		}
	}
}

// A stage that stores in the background has no caller of Write waiting.
func TestWhatAStageStoresByItselfIsNoEventOfACaller(t *testing.T) {
	d := driver.Of(newSink(stub{info: driver.Info{Component: "background"}, store: failing(errRefused)}))
	got := rises(t, func() {
		if errs := d.Store(t.Context(), batch(t, 2)); len(errs) != 2 {
			t.Errorf("outcomes %v", errs)
		}
	})
	wantRises(t, "two failures in the background", got)
}

func TestSuccessAndFailureOfAChainCountUnderOneComponent(t *testing.T) {
	fails := false
	s := inFront(t, newSink(stub{info: driver.Info{Component: "one-broker"}, store: one(func(context.Context, *driver.Event) error {
		if fails {
			return errRefused
		}
		return nil
	})}))
	wantRises(t, "a success", rises(t, func() { _ = s.Write(t.Context(), denial()) }), series(eventsTotal, "one-broker"))
	fails = true
	wantRises(t, "a failure", rises(t, func() { _ = s.Write(t.Context(), denial()) }),
		series(eventsTotal, "one-broker"), series(failedTotal, "one-broker"))
}

func TestAReasonThatIsTooLongCountsUnderTheComponent(t *testing.T) {
	s := inFront(t, newSink(stub{info: driver.Info{Component: "one-proxy"}}))
	ae := denial()
	ae.Spec.Reason = text(5000)
	wantRises(t, "a long reason", rises(t, func() { _ = s.Write(t.Context(), ae) }), series(eventsTotal, "one-proxy"))
}

func TestAnEventWrittenToAnotherSinkInsideASinkIsCounted(t *testing.T) {
	other := newSink(stub{info: driver.Info{Component: "other-sink"}, store: failing(errRefused)})
	for name, inner := range map[string]auditing.Sink{
		"by a driver": newSink(stub{info: driver.Info{Component: "one-sink"}, store: one(func(ctx context.Context, _ *driver.Event) error {
			_ = other.Write(ctx, denial())
			return nil
		})}),
		"by a plain sink": plain{func(ctx context.Context, _ *v1alpha1.AuditEvent) error {
			_ = other.Write(ctx, denial())
			return nil
		}},
	} {
		s, err := newStage("stage", "one-sink", 1, inner)
		if err != nil {
			t.Fatal(err)
		}
		wantRises(t, name, rises(t, func() { _ = s.Write(t.Context(), denial()) }),
			series(eventsTotal, "one-sink"), series(eventsTotal, "other-sink"), series(failedTotal, "other-sink"))
	}
}

func TestAPlainSinkThatHandsItsObjectOnIsNotCountedAgain(t *testing.T) {
	var into log
	fails := newSink(stub{info: driver.Info{Component: "handed"}, store: failing(errRefused)})
	stores := newSink(stub{info: driver.Info{Component: "handed"}, store: into.store})
	for name, c := range map[string]struct {
		behind auditing.Sink
		want   []string
	}{
		"stored":      {handingOn(stores), []string{series(eventsTotal, "handed")}},
		"failed":      {handingOn(fails), []string{series(eventsTotal, "handed"), series(failedTotal, "handed")}},
		"twice":       {handingOn(handingOn(stores)), []string{series(eventsTotal, "handed")}},
		"to a stage":  {handingOn(inFront(t, handingOn(stores), stores)), []string{series(eventsTotal, "handed")}},
		"to FailOpen": {handingOn(auditing.FailOpen(fails, nil)), []string{series(eventsTotal, "handed")}},
		"made invalid": {plain{func(ctx context.Context, ae *v1alpha1.AuditEvent) error {
			ae.Spec.Kind = ""
			return stores.Write(ctx, ae)
		}}, []string{series(eventsTotal, "handed"), series(failedTotal, "handed")}},
		"as a copy": {plain{func(ctx context.Context, ae *v1alpha1.AuditEvent) error {
			return stores.Write(ctx, ae.DeepCopy())
		}}, []string{series(eventsTotal, "handed"), series(eventsTotal, "handed")}},
	} {
		s, err := newStage("stage", "handed", 1, c.behind)
		if err != nil {
			t.Fatal(err)
		}
		wantRises(t, name, rises(t, func() { _ = s.Write(t.Context(), denial()) }), c.want...)
	}
	// In front of everything, a plain sink has an event that nobody has counted.
	ae := denial()
	wantRises(t, "in front", rises(t, func() { _ = handingOn(stores).Write(t.Context(), ae) }), series(eventsTotal, "handed"))
	wantRises(t, "in front again", rises(t, func() { _ = handingOn(stores).Write(t.Context(), ae) }), series(eventsTotal, "handed"))
}

func TestInvalidEventsCountApart(t *testing.T) {
	ae := denial()
	ae.Spec.Decision = "maybe"
	s := inFront(t, newSink(stub{info: driver.Info{Component: "careless"}}))
	want := func(name string) string { return name + " careless other egress-block" }
	wantRises(t, "invalid", rises(t, func() { _ = s.Write(t.Context(), ae) }), want(eventsTotal), want(invalidTotal))
	want = func(name string) string { return name + " careless other other" }
	got := rises(t, func() { _ = s.Write(t.Context(), nil) })
	wantRises(t, "nil", got, want(eventsTotal), want(invalidTotal))
	if got[writesTotal+" invalid stage"] != 1 || got[writesTotal+" ok stage"] != 0 {
		t.Errorf("writes: %v", got)
	}
}

func TestAnEndedContextCountsAsAFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := newSink(stub{info: driver.Info{Name: "late", Component: "late"}})
	got := rises(t, func() { _ = s.Write(ctx, denial()) })
	wantRises(t, "ended", got, series(eventsTotal, "late"), series(failedTotal, "late"))
	if got[writesTotal+" timeout late"] != 1 {
		t.Errorf("writes: %v", got)
	}
}

func TestABatchCountsTheWritesOfEachEvent(t *testing.T) {
	d := driver.Of(newSink(stub{info: driver.Info{Name: "batched"}, store: func(context.Context, []*driver.Event) []error {
		return []error{nil, errRefused, nil, driver.Permanent(errRefused), nil}
	}}))
	got := rises(t, func() { d.Store(t.Context(), batch(t, 5)) })
	for result, want := range map[string]float64{"ok": 3, "transient": 1, "permanent": 1} {
		if got := got[writesTotal+" "+result+" batched"]; got != want {
			t.Errorf("%s: %v, want %v", result, got, want)
		}
	}
}
