package config_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/driver"
)

// rises returns by how much each series of a counter rises during do. The keys are the
// values of the labels. Series that do not rise are left out.
func rises(t *testing.T, name string, do func()) map[string]float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	if err := auditing.RegisterMetrics(reg); err != nil {
		t.Fatal(err)
	}
	read := func() map[string]float64 {
		values := map[string]float64{}
		for _, m := range metrics(t, reg, name) {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			values[strings.Join(labels, " ")] = m.GetCounter().GetValue()
		}
		return values
	}
	before := read()
	do()
	after := read()
	for series := range after {
		if after[series] -= before[series]; after[series] == 0 {
			delete(after, series)
		}
	}
	return after
}

const (
	eventsTotal   = "paddock_audit_events_total"
	failuresTotal = "paddock_audit_write_failures_total"
	invalidTotal  = "paddock_audit_invalid_events_total"
	writesTotal   = "paddock_audit_writes_total"
)

// stageSection is a type of sink that hands events on to the next one.
type stageSection struct {
	Next config.Ref `yaml:"next" required:"true"`
}

func (s *stageSection) Plan(p config.Planning) config.Plan { return p.Of(s.Next) }

func (s *stageSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	return driver.New(passing{driver.Of(o.Sink(s.Next))}), nil
}

type passing struct{ driver.Driver }

func (p passing) Info() driver.Info {
	info := p.Driver.Info()
	info.Name, info.Chain = "passing", "passing("+info.Chain+")"
	return info
}

func stages(t *testing.T, all *recorders) *config.Types {
	t.Helper()
	types := all.types(t)
	if err := types.Add(config.Type{Name: "passing", New: func() config.Section { return &stageSection{} }}); err != nil {
		t.Fatal(err)
	}
	return types
}

func TestEventCountsOnceUnderItsComponent(t *testing.T) {
	var all recorders
	trail := opened(t, writeFile(t, "sinks: {p: {type: passing, next: a}, a: {type: recorder, to: x}}\ncomponents: {counted: {sink: p}}\n"),
		stages(t, &all), config.Deps{Static: true})
	write := func(ae *v1alpha1.AuditEvent) func() {
		return func() {
			if err := trail.For("counted").Write(t.Context(), ae); (err == nil) != (len(all.get("x").Events()) == 1) {
				t.Errorf("Write: %v", err)
			}
			all.get("x").Reset()
		}
	}
	long := func() *v1alpha1.AuditEvent {
		ae := event(denied)
		ae.Spec.Reason = strings.Repeat("long ", 1000) // is shortened on the way
		return ae
	}
	invalid := event(denied)
	invalid.Spec.Kind = ""
	const series = "counted denied other"
	for name, c := range map[string]struct {
		ae               *v1alpha1.AuditEvent
		fault            error
		failures, refuse float64
	}{
		"stored": {ae: event(denied)}, "long": {ae: long()}, "failed": {ae: event(denied), fault: errRefused, failures: 1},
		"long and failed": {ae: long(), fault: errRefused, failures: 1}, "invalid": {ae: invalid, refuse: 1},
	} {
		if c.fault != nil {
			all.get("x").FailWith(c.fault)
		}
		var failed, refused map[string]float64
		counted := rises(t, eventsTotal, func() {
			failed = rises(t, failuresTotal, func() { refused = rises(t, invalidTotal, write(c.ae)) })
		})
		if len(counted) != 1 || counted[series] != 1 || failed[series] != c.failures || len(failed) != int(c.failures) ||
			refused[series] != c.refuse || len(refused) != int(c.refuse) {
			t.Errorf("%s: events %v, failures %v, invalid %v", name, counted, failed, refused)
		}
	}
}

func TestEachPartOfChainCountsWriteOnce(t *testing.T) {
	var all recorders
	trail := opened(t, writeFile(t, "sinks: {p: {type: passing, next: a}, a: {type: recorder, to: x}}\ncomponents: {broker: {sink: p}}\n"),
		stages(t, &all), config.Deps{Static: true})
	got := rises(t, writesTotal, func() {
		if err := trail.For("broker").Write(t.Context(), event(granted)); err != nil {
			t.Error(err)
		}
	})
	if want := map[string]float64{"ok trail": 1, "ok passing": 1, "ok recorder": 1}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	all.get("x").FailWith(errRefused)
	err := trail.For("broker").Write(t.Context(), event(granted))
	if err == nil || !strings.HasSuffix(err.Error(), ": trail: transient: passing: transient: recorder: transient: refused by the test") {
		t.Errorf("Write: %v, want each part named once", err)
	}
}

func TestStageNeitherChecksNorClosesNamedSink(t *testing.T) {
	all := recorders{check: errRefused}
	trail := opened(t, writeFile(t, "sinks: {p: {type: passing, next: a}, a: {type: recorder, to: x, check: skip}}\ncomponents: {broker: {sink: p}}\n"),
		stages(t, &all), config.Deps{Static: true})
	closeTrail(t, trail)
	if got := all.noted(); !slices.Equal(got, []string{"open a", "close a"}) {
		t.Errorf("%v, want a closed once", got)
	}
}

func TestInvalidEventThatFailsOpenIsReported(t *testing.T) {
	var all recorders
	var heard error
	trail := opened(t, writeFile(t, "sinks: {a: {type: recorder, to: x}}\ncomponents: {proxy: {sink: a, onFailure: {granted: open}}}\n"),
		all.types(t), config.Deps{Static: true, OnFailure: func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
			heard = fmt.Errorf("%s %s: %w", componentOf(err), ae.Spec.Decision, err)
		}})
	for d, open := range map[v1alpha1.AuditDecision]bool{granted: true, denied: false, "maybe": false} {
		heard = nil
		ae := event(d)
		ae.Spec.Kind = "Not A Label"
		err := trail.For("proxy").Write(t.Context(), ae)
		if (err == nil) != open || (heard != nil) != open {
			t.Errorf("%s: Write: %v, and OnFailure heard %v", d, err, heard)
		}
		if class, _ := driver.ClassOf(errors.Join(err, heard)); class != auditing.ClassInvalid {
			t.Errorf("%s: class %s, want invalid", d, class)
		}
	}
	err := trail.For("proxy").Write(t.Context(), nil)
	if class, _ := driver.ClassOf(err); class != auditing.ClassInvalid {
		t.Errorf("no event: %v, want an error of class invalid", err)
	}
}

func TestCheckAsksCurrentSinkOfComponent(t *testing.T) {
	all := recorders{check: errRefused}
	path := writeFile(t, "check: skip\nsinks: {a: {type: recorder, to: x}, b: {type: recorder, to: y}}\ncomponents: {broker: {sink: a}, other: {sink: b}}\n")
	trail := opened(t, path, all.types(t), config.Deps{Static: true})
	named, err := trail.Sink("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, sink := range []auditing.Sink{trail.For("broker"), named} {
		if err := auditing.Check(t.Context(), sink); !errors.Is(err, errRefused) {
			t.Errorf("Check: %v, want that of the sink", err)
		}
	}
	if err := auditing.Check(t.Context(), trail.For("brokr")); err == nil || !strings.Contains(err.Error(), "did you mean broker?") {
		t.Errorf("Check of an unknown component: %v", err)
	}
	all.check = nil
	if err := auditing.Check(t.Context(), trail.For("broker")); err != nil {
		t.Error(err)
	}
	closeTrail(t, trail)
	if err := auditing.Check(t.Context(), trail.For("broker")); err == nil {
		t.Error("a closed trail passes its check")
	}
}

func TestComponentBehindStageKeepsItsRules(t *testing.T) {
	var all recorders
	var heard []v1alpha1.AuditDecision
	trail := opened(t, writeFile(t, `
sinks: {a: {type: recorder, to: x}}
components: {proxy: {sink: a, onFailure: {granted: open}, detach: true, timeout: 1m}, broker: {sink: a}}
`), all.types(t), config.Deps{Static: true, OnFailure: func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
		if errors.Is(err, errRefused) && componentOf(err) == "proxy" {
			heard = append(heard, ae.Spec.Decision)
		}
	}})
	chain := driver.New(passing{driver.Of(trail.For("proxy"))})
	if got := chain.String(); got != "passing(recorder)" || chain.Level() != auditing.LevelNone {
		t.Errorf("%s at level %s", got, chain.Level())
	}
	if l := auditing.LevelOf(driver.New(passing{driver.Of(trail.For("broker"))})); l != auditing.LevelAcknowledged {
		t.Errorf("the level of what fails closed is %s", l)
	}
	if err := chain.Write(t.Context(), event(granted)); err != nil {
		t.Fatal(err)
	}
	all.get("x").FailWith(errRefused)
	if err := chain.Write(t.Context(), event(granted)); err != nil {
		t.Errorf("what fails open: %v", err)
	}
	if err := chain.Write(t.Context(), event(denied)); !errors.Is(err, errRefused) {
		t.Errorf("what fails closed: %v", err)
	}
	if got := components(all.get("x")); !slices.Equal(got, []string{"proxy"}) || !slices.Equal(heard, []v1alpha1.AuditDecision{granted}) {
		t.Errorf("recorded: %v, and OnFailure heard %v", got, heard)
	}
	if err := chain.Close(t.Context()); err != nil || !slices.Equal(all.noted(), []string{"open a"}) {
		t.Errorf("Close: %v; %v, want that the trail closes its sinks", err, all.noted())
	}
}

// ownedSection is a type of sink that names a component in its driver.Info.
type ownedSection struct {
	stageSection `yaml:",inline"`
}

func (s *ownedSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	return driver.New(owned{passing{driver.Of(o.Sink(s.Next))}}), nil
}

type owned struct{ passing }

func (o owned) Info() driver.Info {
	info := o.passing.Info()
	info.Component = "broker"
	return info
}

func TestSinkOfAnotherComponentIsRefused(t *testing.T) {
	var all recorders
	types := all.types(t)
	if err := types.Add(config.Type{Name: "owned", New: func() config.Section { return &ownedSection{} }}); err != nil {
		t.Fatal(err)
	}
	for component, want := range map[string]string{
		"broker": "", "proxy": "components.proxy: writes to passing(recorder), which is of the component broker", `"*"`: "components.*: writes to",
	} {
		path := writeFile(t, "sinks: {o: {type: owned, next: a}, a: {type: recorder, to: x}}\ncomponents: {"+component+": {sink: o}}\n")
		trail, err := config.Open(t.Context(), path, types, config.Deps{Static: true, Logger: slog.New(slog.DiscardHandler)})
		if trail != nil {
			closeTrail(t, trail)
		}
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", component, err, want)
		}
	}
}

func TestKindsOfFileCountUnderTheirNames(t *testing.T) {
	var all recorders
	const text = "sinks: {a: {type: recorder, to: x}}\ncomponents: {kinds: {sink: a}}\n"
	path := writeFile(t, "kinds: [first-kind]\n"+text)
	trail := opened(t, path, all.types(t), config.Deps{Static: true})
	write := func() {
		for _, kind := range []v1alpha1.AuditKind{"first-kind", "second-kind"} {
			ae := event(denied)
			ae.Spec.Kind = kind
			if err := trail.For("kinds").Write(t.Context(), ae); err != nil {
				t.Error(err)
			}
		}
	}
	if got := rises(t, eventsTotal, write); len(got) != 2 || got["kinds denied first-kind"] != 1 || got["kinds denied other"] != 1 {
		t.Errorf("counted %v", got)
	}
	if err := os.WriteFile(path, []byte(head+"kinds: [second-kind]\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := trail.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := rises(t, eventsTotal, write); len(got) != 2 || got["kinds denied first-kind"] != 1 || got["kinds denied second-kind"] != 1 {
		t.Errorf("after a reload: counted %v", got)
	}
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, "k%d,", i)
	}
	if err := os.WriteFile(path, []byte(head+"kinds: ["+many.String()+"]\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := trail.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "102 kinds, at most 100") {
		t.Errorf("more kinds than a program may have: %v", err)
	}
	if got := rises(t, eventsTotal, write); got["kinds denied second-kind"] != 1 {
		t.Errorf("after a refused reload: counted %v", got)
	}
}
