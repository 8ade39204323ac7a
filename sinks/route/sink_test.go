package route_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/route"
)

const (
	granted = v1alpha1.AuditDecisionGranted
	denied  = v1alpha1.AuditDecisionDenied
	warned  = v1alpha1.AuditDecisionWarned
)

func event(kind v1alpha1.AuditKind, d v1alpha1.AuditDecision, ns string) *v1alpha1.AuditEvent {
	return auditing.NewEvent(auditing.EventInput{Kind: kind, Decision: d, Namespace: ns})
}

func TestAnEventGoesToTheFirstRouteThatTakesIt(t *testing.T) {
	var credentials, denials, team, rest sinktest.Recorder
	sink, err := route.New([]route.Route{
		{Kinds: []string{"credential-*", "ca-?rojected"}, Sink: &credentials},
		{Decisions: []v1alpha1.AuditDecision{denied, warned}, Namespaces: []string{"team-a"}, Sink: &denials},
		{Namespaces: []string{"team-*"}, Sink: &team},
		{Sink: &rest},
	}, route.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ae *v1alpha1.AuditEvent
		to *sinktest.Recorder
	}{
		{event("credential-issued", denied, "team-a"), &credentials},
		{event("ca-projected", granted, ""), &credentials},
		{event("egress-block", denied, "team-a"), &denials},
		{event("egress-block", warned, "team-a"), &denials},
		{event("egress-block", granted, "team-a"), &team},
		{event("egress-block", denied, "team-b"), &team},
		{event("egress-block", denied, "other"), &rest},
		{event("egress-block", denied, ""), &rest},
	} {
		before := len(c.to.Events())
		if err := sink.Write(t.Context(), c.ae); err != nil {
			t.Fatal(err)
		}
		if len(c.to.Events()) != before+1 {
			t.Errorf("%s %s in %q went elsewhere", c.ae.Spec.Kind, c.ae.Spec.Decision, c.ae.Namespace)
		}
	}
}

func TestAnEventWithoutARouteIsAnError(t *testing.T) {
	var kept sinktest.Recorder
	sink, err := route.New([]route.Route{{Kinds: []string{"credential-*"}, Sink: &kept}}, route.Options{Component: "broker"})
	if err != nil {
		t.Fatal(err)
	}
	err = sink.Write(t.Context(), event("egress-block", denied, "team-a"))
	var failed *auditing.WriteError
	if !errors.As(err, &failed) || failed.Class != auditing.ClassPermanent || !strings.Contains(err.Error(), "no route takes kind egress-block") {
		t.Errorf("error %v", err)
	}
}

func TestDroppedEventsAreCounted(t *testing.T) {
	var kept sinktest.Recorder
	reg := prometheus.NewPedanticRegistry()
	sink, err := route.New([]route.Route{{Kinds: []string{"credential-*"}, Sink: &kept}},
		route.Options{Rest: route.RestDropped, Name: "filter", Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []v1alpha1.AuditKind{"egress-block", "credential-issued", "egress-allow"} {
		if err := sink.Write(t.Context(), event(kind, denied, "team-a")); err != nil {
			t.Fatal(err)
		}
	}
	if got := dropped(t, reg); len(got) != 1 || got["filter"] != 2 || len(kept.Events()) != 1 {
		t.Errorf("counted %v; %d events stored", got, len(kept.Events()))
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := dropped(t, reg); len(got) != 0 {
		t.Errorf("after Close there is %v", got)
	}
}

// dropped reads the counters of dropped events, by the name of the route.
func dropped(t *testing.T, reg prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "paddock_audit_route_dropped_total" {
			t.Errorf("metric %s", f.GetName())
		}
		for _, m := range f.GetMetric() {
			found[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
		}
	}
	return found
}

// ofDriver is a destination that notes how it is called.
type ofDriver struct {
	info   driver.Info
	stored [][]string
	checks error
	closed int
}

func (d *ofDriver) Info() driver.Info           { return d.info }
func (d *ofDriver) Check(context.Context) error { return d.checks }
func (d *ofDriver) Close(context.Context) error { d.closed++; return d.checks }

func (d *ofDriver) Store(_ context.Context, events []*driver.Event) []error {
	var kinds []string
	errs := make([]error, len(events))
	for i, e := range events {
		kinds = append(kinds, string(e.Kind()))
		if e.Kind() == "refused" {
			errs[i] = errRefused
		}
	}
	d.stored = append(d.stored, kinds)
	return errs
}

func TestABatchIsDividedAmongTheSinks(t *testing.T) {
	first, second := &ofDriver{info: driver.Info{Name: "first"}}, &ofDriver{info: driver.Info{Name: "second"}}
	a, b := driver.New(first), driver.New(second)
	sink, err := route.New([]route.Route{
		{Decisions: []v1alpha1.AuditDecision{denied}, Sink: a},
		{Decisions: []v1alpha1.AuditDecision{warned}, Sink: b},
		{Kinds: []string{"extra"}, Sink: a},
	}, route.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var events []*driver.Event
	for _, ae := range []*v1alpha1.AuditEvent{
		event("one", denied, ""), event("two", warned, ""), event("lost", granted, ""), event("refused", warned, ""), event("extra", granted, ""),
	} {
		e, err := driver.Prepare(ae, "broker")
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	errs := driver.Of(sink).Store(t.Context(), events)
	for i, want := range []bool{false, false, true, true, false} {
		if (errs[i] != nil) != want {
			t.Errorf("outcome %d is %v", i, errs[i])
		}
	}
	if !errors.Is(errs[3], errRefused) {
		t.Errorf("the refused event: %v", errs[3])
	}
	if len(first.stored) != 1 || strings.Join(first.stored[0], " ") != "one extra" ||
		len(second.stored) != 1 || strings.Join(second.stored[0], " ") != "two refused" {
		t.Errorf("stored %v and %v", first.stored, second.stored)
	}
}

func TestASinkOfTwoRoutesIsClosedOnce(t *testing.T) {
	to := &ofDriver{info: driver.Info{Name: "to", Level: auditing.LevelDurable}, checks: io.EOF}
	shared := driver.New(to)
	sink, err := route.New([]route.Route{{Kinds: []string{"a"}, Sink: shared}, {Kinds: []string{"b"}, Sink: shared}}, route.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Check(t.Context()); !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "to: ") {
		t.Errorf("Check: %v", err)
	}
	if err := sink.Close(t.Context()); !errors.Is(err, io.EOF) || to.closed != 1 {
		t.Errorf("Close: %v, %d times", err, to.closed)
	}
}

func TestTheChainPrintsTheRoutes(t *testing.T) {
	low := driver.New(&ofDriver{info: driver.Info{Name: "low", Level: auditing.LevelAccepted, Component: "broker"}})
	high := driver.New(&ofDriver{info: driver.Info{Name: "high", Level: auditing.LevelAcknowledged, Batch: 8, Namespaced: true}})
	sink, err := route.New([]route.Route{
		{Kinds: []string{"credential-*", "ca-*"}, Decisions: []v1alpha1.AuditDecision{denied}, Namespaces: []string{"team-*"}, Sink: high},
		{Decisions: []v1alpha1.AuditDecision{warned}, Sink: low},
	}, route.Options{Rest: route.RestDropped})
	if err != nil {
		t.Fatal(err)
	}
	if want := "route[credential-*|ca-* denied in team-*: high, warned: low, rest: dropped]"; sink.String() != want {
		t.Errorf("chain %s, want %s", sink, want)
	}
	info := driver.Of(sink).Info()
	if info.Level != auditing.LevelAccepted || info.Component != "broker" || info.Batch != 8 || info.Namespaced || info.Repeats != driver.RepeatsFolded {
		t.Errorf("info %+v", info)
	}
}

func TestNewRefusesRoutesThatCannotBeMeant(t *testing.T) {
	var to sinktest.Recorder
	of := func(component string) auditing.Sink {
		return driver.New(&ofDriver{info: driver.Info{Name: "x", Component: component}})
	}
	for want, routes := range map[string][]route.Route{
		"there are no routes":        nil,
		"route 0 has no sink":        {{}},
		"put it last":                {{Kinds: []string{"*"}, Sink: &to}, {Sink: &to}},
		"kinds[0]: want lower-case":  {{Kinds: []string{"Credential"}, Sink: &to}},
		"namespaces[0]: want lower":  {{Namespaces: []string{"[a"}, Sink: &to}},
		"decisions[0]: want granted": {{Decisions: []v1alpha1.AuditDecision{"maybe"}, Sink: &to}},
		"two components":             {{Kinds: []string{"a"}, Sink: of("a")}, {Sink: of("b")}},
	} {
		if _, err := route.New(routes, route.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
	if _, err := route.New([]route.Route{{Sink: &to}}, route.Options{Rest: "lose"}); err == nil || !strings.Contains(err.Error(), "fail or drop") {
		t.Errorf("an unknown rest: %v", err)
	}
}
