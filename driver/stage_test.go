package driver_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// stage hands events on to every sink behind it, as often as it is told to, and
// gives the outcomes of the last.
type stage struct {
	info  driver.Info
	next  []driver.Driver
	times int
}

func (s *stage) Info() driver.Info { return s.info }

func (s *stage) Store(ctx context.Context, events []*driver.Event) (errs []error) {
	for range s.times {
		for _, next := range s.next {
			errs = next.Store(ctx, events)
		}
	}
	return errs
}

func (s *stage) Check(ctx context.Context) (err error) {
	for _, next := range s.next {
		err = errors.Join(err, next.Check(ctx))
	}
	return err
}

func (s *stage) Close(ctx context.Context) (err error) {
	for _, next := range s.next {
		err = errors.Join(err, next.Close(ctx))
	}
	return err
}

// newStage makes a stage as the library's own do.
func newStage(name, component string, times int, sinks ...auditing.Sink) (*sink, error) {
	s := &stage{times: times}
	chains := make([]string, len(sinks))
	for i, behind := range sinks {
		s.next = append(s.next, driver.Of(behind))
		chains[i] = s.next[i].Info().Chain
	}
	var err error
	if component, err = driver.Component(component, s.next...); err != nil {
		return nil, err
	}
	s.info = driver.Info{Name: name, Component: component, Chain: name + "(" + strings.Join(chains, ", ") + ")", Level: auditing.LevelAccepted}
	return newSink(s), nil
}

// inFront returns a stage in front of sinks, which must be made.
func inFront(t testing.TB, sinks ...auditing.Sink) *sink {
	t.Helper()
	s, err := newStage("stage", "", 1, sinks...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAStageTakesTheComponentOfTheSinkBehindIt(t *testing.T) {
	s := inFront(t, inFront(t, newSink(stub{info: driver.Info{Component: "proxy"}})))
	ae := denial()
	if err := s.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	if got := ae.Labels[v1alpha1.LabelComponent]; got != "proxy" {
		t.Errorf("the component is %q, want that of the sink", got)
	}
}

func TestSinksBehindAStageShareOneEventWithOneJSON(t *testing.T) {
	var first, second, third log
	s := inFront(t, newSink(stub{store: first.store}), inFront(t, newSink(stub{store: second.store})), newSink(stub{store: third.store}))
	if err := s.Write(t.Context(), complete()); err != nil {
		t.Fatal(err)
	}
	a, b, c := first.events[0], second.events[0], third.events[0]
	if a != b || a != c || &a.JSON()[0] != &b.JSON()[0] {
		t.Error("they do not get the same event")
	}
}

func TestAnEventThatAStageKeepsIsNotTheCallers(t *testing.T) {
	var kept log
	ae := complete()
	if err := inFront(t, newSink(stub{store: kept.store})).Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	own := indented(t, kept.events[0].Object())
	if own != indented(t, ae) || ae.Name == "" {
		t.Errorf("the event is %s of %s", own, indented(t, ae))
	}
	ae.Spec.Detail["quota"], ae.Labels[v1alpha1.LabelRun], ae.Spec.RunRef.Name = "changed", "changed", "changed"
	if indented(t, kept.events[0].Object()) != own {
		t.Error("the caller's changes reach the event")
	}
}

func TestAnErrorNamesEveryStageAndTheEventOnce(t *testing.T) {
	leaf := newSink(stub{info: driver.Info{Name: "loki", Component: "proxy"}, store: failing(driver.Permanent(errRefused))})
	ae := denial()
	err := inFront(t, leaf).Write(t.Context(), ae)
	failed := writeError(t, err)
	if failed.Sink != "stage" || failed.Component != "proxy" || failed.Class != auditing.ClassPermanent || !errors.Is(err, errRefused) {
		t.Errorf("%+v", failed)
	}
	if want := "audit write failed: event " + ns + "/" + ae.Name + ": stage: permanent: loki: permanent: connection refused"; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestComponentsThatAgreeAreAdopted(t *testing.T) {
	of := func(component, chain string) driver.Driver {
		return stub{info: driver.Info{Component: component, Chain: chain}}
	}
	for _, c := range []struct {
		own  string
		next []driver.Driver
		want string
		err  []string
	}{
		{"", nil, "", nil},
		{"broker", nil, "broker", nil},
		{"", []driver.Driver{of("", "a"), of("broker", "b"), of("", "c"), of("broker", "d")}, "broker", nil},
		{"broker", []driver.Driver{of("", "a"), of("broker", "b")}, "broker", nil},
		{"", []driver.Driver{of("", "a")}, "", nil},
		{"broker", []driver.Driver{of("proxy", "b")}, "", []string{`"broker"`, `"proxy"`, "the stage", "b"}},
		{"", []driver.Driver{of("broker", "kube"), of("proxy", "retry(loki)")}, "", []string{`"broker"`, `"proxy"`, "kube", "retry(loki)"}},
		{"not a value", nil, "", []string{`"not a value"`}},
		{text(64), nil, "", []string{text(64)}},
	} {
		got, err := driver.Component(c.own, c.next...)
		if got != c.want || (err == nil) != (c.err == nil) {
			t.Errorf("own %q: %q, %v", c.own, got, err)
		}
		for _, part := range c.err {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("own %q: %v does not name %s", c.own, err, part)
			}
		}
	}
}

func TestAPanicBehindAStageIsAnErrorOfThatSinkOnly(t *testing.T) {
	var beside log
	broken := newSink(stub{info: driver.Info{Name: "broken"}, store: func(context.Context, []*driver.Event) []error { panic("boom") }})
	err := inFront(t, newSink(stub{store: beside.store}), broken).Write(t.Context(), denial())
	if failed := writeError(t, err); !strings.Contains(err.Error(), "broken: permanent: panic: boom") || failed.Sink != "stage" || len(beside.events) != 1 {
		t.Errorf("%v; %d events beside", err, len(beside.events))
	}
}

// lossy is a Driver that is known to lack an event, and that drains.
type lossy struct {
	stub

	drained *bool
}

func (l lossy) Drain(context.Context) error {
	*l.drained = true
	return nil
}

func TestDrainReachesADriverBehindItsLink(t *testing.T) {
	drained := false
	d := lossy{stub{info: driver.Info{Name: "lossy"}}, &drained}
	if err := driver.Drain(t.Context(), driver.Of(driver.New(d))); err != nil || !drained {
		t.Errorf("drained %t, %v", drained, err)
	}
	if err := driver.Drain(t.Context(), stub{}); err != nil {
		t.Errorf("what is no Drainer: %v", err)
	}
}

func TestKnownLossesReachStagesThatComeLaterToo(t *testing.T) {
	ae := denial()
	ae.Annotations = map[string]string{v1alpha1.AnnotationSeal: "v1 x"}
	heard := map[string]int{}
	hear := func(who string) func(seal, place string) {
		return func(seal, place string) { heard[who+" "+seal+" "+place]++ }
	}
	early := driver.OnLacks(hear("early"))
	defer early()
	forget := driver.KnownLacks(func(tell func(ae *v1alpha1.AuditEvent, place string)) {
		tell(ae, "lake")
		tell(denial(), "lake") // it has no seal
	})
	driver.OnLacks(hear("late"))()
	forget()
	driver.OnLacks(hear("too late"))()
	if want := map[string]int{"early v1 x lake": 1, "late v1 x lake": 1}; !maps.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
}
