package driver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// plain is a Sink of somebody who has never heard of package driver.
type plain struct {
	write func(ctx context.Context, ae *v1alpha1.AuditEvent) error
}

func (p plain) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	if p.write == nil {
		return nil
	}
	return p.write(ctx, ae)
}

// eloquent is a plain Sink that says all that a Sink can say.
type eloquent struct{ plain }

func (eloquent) Level() auditing.Level       { return auditing.LevelDurable }
func (eloquent) String() string              { return "eloquent" }
func (eloquent) Check(context.Context) error { return errRefused }
func (eloquent) Close(context.Context) error { return io.EOF }

// handingOn returns a plain sink that hands its own object on.
func handingOn(next auditing.Sink) plain { return plain{next.Write} }

// literal is a Sink that is written as a struct literal, as kube.Sink is.
type literal struct {
	Component string
	Into      *log
}

func (l literal) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return driver.Write(ctx, l.driver(), ae)
}
func (l literal) Driver() (driver.Driver, auditing.Sink) { return l.driver(), l }
func (l literal) driver() driver.Driver {
	return stub{info: driver.Info{Name: "literal", Component: l.Component}, store: l.Into.store}
}

// sinkOf is a library's Sink; its users know it by that type.
func sinkOf(l *log) *sink { return newSink(stub{info: driver.Info{Name: "library"}, store: l.store}) }

// The types of strangers who embed a Sink, and have a Write of their own or not.
type (
	overPointer   struct{ *sink }
	overValue     struct{ sink }
	overLiteral   struct{ literal }
	overPLiteral  struct{ *literal }
	overInterface struct{ auditing.Sink }
	overTwice     struct{ overPointer }
	silent        struct{ *sink }
	silentLiteral struct{ literal }
)

func noted(ctx context.Context, behind auditing.Sink, ae *v1alpha1.AuditEvent) error {
	ae.Labels["seen"] = "yes"
	return behind.Write(ctx, ae)
}

func (o overPointer) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return noted(ctx, o.sink, ae)
}

func (o overValue) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return noted(ctx, o.sink, ae)
}

func (o overLiteral) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return noted(ctx, o.literal, ae)
}

func (o overPLiteral) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return noted(ctx, o.literal, ae)
}

func (o overInterface) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return noted(ctx, o.Sink, ae)
}

func TestAWriteOfOnesOwnIsNotBypassed(t *testing.T) {
	var into log
	for name, s := range map[string]auditing.Sink{
		"embeds a sink's pointer":        overPointer{sinkOf(&into)},
		"is a pointer to such":           &overPointer{sinkOf(&into)},
		"embeds a sink":                  &overValue{*sinkOf(&into)},
		"embeds a literal":               overLiteral{literal{Into: &into}},
		"is a pointer to such a literal": &overLiteral{literal{Into: &into}},
		"embeds a literal's pointer":     overPLiteral{&literal{Into: &into}},
		"embeds the interface":           overInterface{sinkOf(&into)},
		"embeds one that embeds a sink":  overTwice{overPointer{sinkOf(&into)}},
	} {
		into.events = nil
		if err := inFront(t, s).Write(t.Context(), denial()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(into.events) != 1 || into.events[0].Label("seen") != "yes" {
			t.Errorf("%s: its Write was bypassed", name)
		}
	}
}

func TestTheLibrarysOwnSinksGetTheEventItself(t *testing.T) {
	var into log
	l := literal{Into: &into}
	for name, s := range map[string]auditing.Sink{
		"a sink":               sinkOf(&into),
		"its value":            *sinkOf(&into),
		"driver.Sink":          driver.New(stub{store: into.store}),
		"a literal":            l,
		"a literal's pointer":  &l,
		"a stage":              inFront(t, sinkOf(&into)),
		"a FailOpen of a sink": auditing.FailOpen(sinkOf(&into), nil),
	} {
		into.events = nil
		e := batch(t, 1)
		if errs := driver.Of(s).Store(t.Context(), e); errs != nil || len(into.events) != 1 || into.events[0] != e[0] {
			t.Errorf("%s: outcomes %v, %d events, the same: %t", name, errs, len(into.events), len(into.events) == 1 && into.events[0] == e[0])
		}
	}
}

func TestASinkThatOnlyEmbedsAnotherStoresWithIt(t *testing.T) {
	var into log
	for name, s := range map[string]auditing.Sink{"sink": silent{sinkOf(&into)}, "literal": silentLiteral{literal{Into: &into}}} {
		into.events = nil
		if err := inFront(t, s).Write(t.Context(), denial()); err != nil || len(into.events) != 1 {
			t.Errorf("%s: %v, %d events", name, err, len(into.events))
		}
	}
}

func TestOfKeepsTheDriverOfASink(t *testing.T) {
	s := newSink(stub{info: driver.Info{Name: "kube", Component: "broker", Namespaced: true, Batch: 7, Repeats: driver.RepeatsRecognised}})
	want := driver.Info{Name: "kube", Chain: "kube", Component: "broker", Namespaced: true, Batch: 7, Repeats: driver.RepeatsRecognised}
	if got := driver.Of(s).Info(); got != want {
		t.Errorf("info %+v, want %+v", got, want)
	}
	if driver.Of(s) != driver.Of(s) {
		t.Error("a second Of gives another driver")
	}
	if got := driver.Of(driver.New(driver.Of(s))); got != driver.Of(s) {
		t.Error("the Sink of a driver that Of gave is another one")
	}
}

func TestNoSinkIsNoDriver(t *testing.T) {
	if d := driver.Of(nil); d != nil {
		t.Errorf("of nil: %v", d)
	}
	d := driver.Of(auditing.NoopSink{})
	if info := d.Info(); info.Name != "noop" || info.Level != auditing.LevelNone || d.Store(t.Context(), batch(t, 2)) != nil {
		t.Errorf("of a NoopSink: %+v", info)
	}
	if err := errors.Join(d.Check(t.Context()), d.Close(t.Context())); err != nil {
		t.Errorf("of a NoopSink: %v", err)
	}
}

func TestAPlainSinkGetsAnObjectOfItsOwn(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "the caller's")
	var got []*v1alpha1.AuditEvent
	var beside log
	s := inFront(t, plain{func(ctx context.Context, ae *v1alpha1.AuditEvent) error {
		if ctx.Value(key{}) == nil {
			t.Error("the caller's context does not arrive")
		}
		got = append(got, ae.DeepCopy())
		ae.Spec.Reason, ae.Labels["own"] = "changed", "changed"
		return nil
	}}, newSink(stub{store: beside.store}))
	ae := denial()
	if err := s.Write(ctx, ae); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || !reflect.DeepEqual(got[0], ae) {
		t.Errorf("it got %s, want %s", indented(t, got), indented(t, ae))
	}
	if o := beside.events[0].Object(); !reflect.DeepEqual(o, ae) {
		t.Errorf("what it changes reaches another sink: %s", indented(t, o))
	}
}

func TestAPlainSinkKeepsWhatItSaysOfItself(t *testing.T) {
	d := driver.Of(eloquent{})
	if info := d.Info(); info.Name != "driver_test.eloquent" || info.Chain != "eloquent" || info.Level != auditing.LevelDurable || info.Component != "" {
		t.Errorf("info %+v", info)
	}
	if err := d.Check(t.Context()); !errors.Is(err, errRefused) {
		t.Errorf("Check: %v", err)
	}
	if err := d.Close(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("Close: %v", err)
	}
	d = driver.Of(&plain{})
	if info := d.Info(); info.Name != "driver_test.plain" || info.Chain != "*driver_test.plain" || info.Level != auditing.LevelNone {
		t.Errorf("info %+v", info)
	}
	if err := errors.Join(d.Check(t.Context()), d.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestAPlainSinkGetsABatchAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := batch(t, 40)
		var mu sync.Mutex
		var names []string
		underWay, most := 0, 0
		release := make(chan struct{})
		d := driver.Of(plain{func(_ context.Context, ae *v1alpha1.AuditEvent) error {
			mu.Lock()
			names = append(names, ae.Name)
			underWay++
			most = max(most, underWay)
			mu.Unlock()
			<-release
			mu.Lock()
			underWay--
			mu.Unlock()
			if ae.Name == events[5].Name() {
				return errRefused
			}
			return nil
		}})
		done := make(chan []error)
		go func() { done <- d.Store(t.Context(), events) }()
		synctest.Wait()
		if most != d.Info().Batch || most < 2 {
			t.Errorf("%d at once, and a batch is %d", most, d.Info().Batch)
		}
		close(release)
		errs := <-done
		slices.Sort(names)
		if len(slices.Compact(names)) != len(events) {
			t.Errorf("%d of %d events were written", len(names), len(events))
		}
		for i, err := range errs {
			if (err != nil) != (i == 5) || err != nil && !errors.Is(err, errRefused) {
				t.Errorf("event %d: %v", i, err)
			}
		}
	})
}

func TestAPanicOfAPlainSinkIsAnError(t *testing.T) {
	s := inFront(t, plain{func(context.Context, *v1alpha1.AuditEvent) error { panic("boom") }})
	err := s.Write(t.Context(), denial())
	if failed := writeError(t, err); failed.Class != auditing.ClassPermanent || !strings.Contains(err.Error(), "driver_test.plain: permanent: panic: boom") {
		t.Errorf("class %s: %v", failed.Class, err)
	}
}

func TestAPlainSinkThatHidesAnotherComponentIsAnError(t *testing.T) {
	var into log
	for name, hidden := range map[string]auditing.Sink{
		"sink":    newSink(stub{info: driver.Info{Name: "kube", Component: "proxy"}, store: into.store}),
		"literal": literal{Component: "proxy", Into: &into},
	} {
		for _, own := range []string{"", "broker"} {
			s, err := newStage("stage", own, 1, handingOn(hidden))
			if err != nil {
				t.Fatal(err)
			}
			err = s.Write(t.Context(), denial())
			if failed := writeError(t, err); failed.Class != auditing.ClassPermanent || failed.Component != own ||
				!strings.Contains(err.Error(), `"proxy"`) || !strings.Contains(err.Error(), fmt.Sprintf("%q", own)) {
				t.Errorf("%s behind %q: %+v", name, own, failed)
			}
			if len(into.events) != 0 {
				t.Errorf("%s behind %q: the event was stored", name, own)
			}
		}
		s, err := newStage("stage", "proxy", 1, handingOn(hidden))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), denial()); err != nil || len(into.events) != 1 || into.events[0].Component() != "proxy" {
			t.Errorf("%s behind its own component: %v, %d events", name, err, len(into.events))
		}
		into.events = nil
	}
}

func TestFailOpenBehindAStageReportsAndGoesOn(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "the caller's")
	var beside log
	var reported []*v1alpha1.AuditEvent
	open := auditing.FailOpen(newSink(stub{
		info:  driver.Info{Name: "loki", Component: "proxy", Batch: 7, Level: auditing.LevelDurable},
		store: failing(driver.Permanent(errRefused)),
		check: func(context.Context) error { return errRefused },
		close: func(context.Context) error { return io.EOF },
	}), func(ctx context.Context, ae *v1alpha1.AuditEvent, err error) {
		if ctx.Value(key{}) == nil || !errors.Is(err, errRefused) || writeError(t, err).Sink != "loki" {
			t.Errorf("reported %v", err)
		}
		reported = append(reported, ae)
	})
	s := inFront(t, newSink(stub{store: beside.store}), open)
	ae := denial()
	if err := s.Write(ctx, ae); err != nil {
		t.Fatal(err)
	}
	if len(reported) != 1 || !reflect.DeepEqual(reported[0], ae) || len(beside.events) != 1 {
		t.Errorf("reported %s; %d events beside", indented(t, reported), len(beside.events))
	}
	if s.String() != "stage(stub, failopen(loki))" || ae.Labels[v1alpha1.LabelComponent] != "proxy" {
		t.Errorf("chain %s, component %q", s, ae.Labels[v1alpha1.LabelComponent])
	}
	d := driver.Of(open)
	if info := d.Info(); info.Level != auditing.LevelNone || info.Component != "proxy" || info.Batch != 7 {
		t.Errorf("info %+v", info)
	}
	if err := d.Check(ctx); !errors.Is(err, errRefused) {
		t.Errorf("Check: %v", err)
	}
	if err := d.Close(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("Close: %v", err)
	}
	if errs := driver.Of(auditing.FailOpen(open, nil)).Store(ctx, batch(t, 3)); errs != nil || len(reported) != 4 {
		t.Errorf("outcomes %v, %d reported", errs, len(reported))
	}
}

func TestFailOpenOfNothingBehindAStageSaysSo(t *testing.T) {
	var reported error
	d := driver.Of(auditing.FailOpen(nil, func(_ context.Context, _ *v1alpha1.AuditEvent, err error) { reported = err }))
	if errs := d.Store(t.Context(), batch(t, 1)); errs != nil {
		t.Errorf("outcomes %v", errs)
	}
	if failed := writeError(t, reported); failed.Class != auditing.ClassPermanent {
		t.Errorf("reported %+v", failed)
	}
	if err := d.Check(t.Context()); err == nil {
		t.Error("Check passes")
	}
	if err := d.Close(t.Context()); err != nil || d.Info().Chain != "failopen(<nil>)" {
		t.Errorf("Close: %v, chain %s", err, d.Info().Chain)
	}
}

func TestRulesHoldBehindAStage(t *testing.T) {
	var reported []*v1alpha1.AuditEvent
	var detached bool
	rules := auditing.WithRules(newSink(stub{
		info: driver.Info{Name: "loki", Component: "proxy", Level: auditing.LevelDurable},
		store: func(ctx context.Context, events []*driver.Event) []error {
			_, bounded := ctx.Deadline()
			detached = ctx.Err() == nil && bounded
			return driver.All(len(events), errRefused)
		},
	}), auditing.Rules{
		Detach: true, FailOpen: []v1alpha1.AuditDecision{v1alpha1.AuditDecisionWarned},
		OnFailure: func(_ context.Context, ae *v1alpha1.AuditEvent, _ error) { reported = append(reported, ae) },
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	warned := denial()
	warned.Spec.Decision = v1alpha1.AuditDecisionWarned
	errs := driver.Of(rules).Store(ctx, []*driver.Event{prepared(t, denial()), prepared(t, warned)})
	if !detached || len(errs) != 2 || !errors.Is(errs[0], errRefused) || errs[1] != nil {
		t.Errorf("detached %t, outcomes %v", detached, errs)
	}
	if len(reported) != 1 || reported[0].Name != warned.Name {
		t.Errorf("reported %s", indented(t, reported))
	}
}
