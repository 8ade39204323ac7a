package driver_test

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// keeping is a sink that keeps the last event that it was given.
func keeping(last **driver.Event) auditing.Sink {
	return newSink(stub{
		info: driver.Info{Name: "keeping", Component: "proxy"},
		store: func(_ context.Context, events []*driver.Event) []error {
			*last = events[len(events)-1]
			return nil
		},
	})
}

func factsOf(s *v1alpha1.AuditEventSpec) auditing.Facts {
	return auditing.Facts{Actor: s.Actor, Object: s.Object, Request: s.Request, Trace: s.Trace}
}

func TestWriteStampsTheFactsOfItsContext(t *testing.T) {
	var stored *driver.Event
	ae := denial()
	if err := keeping(&stored).Write(auditing.With(t.Context(), facts()), ae); err != nil {
		t.Fatal(err)
	}
	want := facts()
	for name, got := range map[string]*v1alpha1.AuditEventSpec{"the caller's event": &ae.Spec, "the stored one": stored.Spec()} {
		if !reflect.DeepEqual(factsOf(got), want) {
			t.Errorf("%s has %s, want %s", name, indented(t, got), indented(t, want))
		}
	}
	if !stored.Same(ae) {
		t.Error("the caller's event is not the stored one")
	}
}

func TestAnEventKeepsTheFactsThatItHas(t *testing.T) {
	var stored *driver.Event
	ae := denial()
	ae.Spec.Actor = &v1alpha1.AuditActor{User: "alice"}
	if err := keeping(&stored).Write(auditing.With(t.Context(), facts()), ae); err != nil {
		t.Fatal(err)
	}
	if got := *stored.Spec().Actor; !reflect.DeepEqual(got, v1alpha1.AuditActor{User: "alice"}) || !reflect.DeepEqual(*ae.Spec.Actor, got) {
		t.Errorf("the actor became %+v", got)
	}
	if stored.Spec().Request == nil || stored.Spec().Request.ID != "705ab4f5" {
		t.Errorf("the request, which it lacks, is %+v", stored.Spec().Request)
	}
}

// A retry in another request, or in none, is the event of the first attempt.
func TestARetryIsNotStampedAgain(t *testing.T) {
	other := facts()
	other.Actor = &v1alpha1.AuditActor{User: "mallory"}
	for name, c := range map[string]struct{ first, second context.Context }{
		"another request": {auditing.With(t.Context(), facts()), auditing.With(t.Context(), other)},
		"no request":      {auditing.With(t.Context(), facts()), t.Context()},
		"first without":   {t.Context(), auditing.With(t.Context(), other)},
	} {
		var stored *driver.Event
		s, ae := keeping(&stored), denial()
		if err := s.Write(c.first, ae); err != nil {
			t.Fatal(err)
		}
		first := stored
		if err := s.Write(c.second, ae); err != nil {
			t.Fatal(err)
		}
		if !first.Same(ae) || !bytes.Equal(first.JSON(), stored.JSON()) {
			t.Errorf("%s: it was\n%s\nand is\n%s", name, first.JSON(), stored.JSON())
		}
	}
}

// A controller names the event of a run, and comes by again in another reconciliation.
func TestANamedEventIsTheSameInAnotherRequest(t *testing.T) {
	var stored *driver.Event
	s := keeping(&stored)
	write := func(requestID string) *driver.Event {
		f := facts()
		f.Request.ID, f.Trace.SpanID = requestID, requestID
		ae := denial()
		ae.Name = "run-1-denied"
		if err := s.Write(auditing.With(t.Context(), f), ae); err != nil {
			t.Fatal(err)
		}
		if ae.Spec.Request != nil || ae.Spec.Trace != nil || ae.Spec.Object == nil {
			t.Errorf("stamped %s", indented(t, ae.Spec))
		}
		return stored
	}
	if first, second := write("1"), write("2"); !bytes.Equal(first.JSON(), second.JSON()) {
		t.Errorf("first %s, then %s", first.JSON(), second.JSON())
	}
}

// The events of one request, written at once, share nothing that their callers change.
func TestStampedEventsShareNothingWithEachOther(t *testing.T) {
	ctx := auditing.With(t.Context(), facts())
	var kept sync.Map
	s := newSink(stub{info: driver.Info{Name: "keeping"}, store: func(_ context.Context, events []*driver.Event) []error {
		kept.Store(events[0], nil)
		return nil
	}})
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			ae := denial()
			if err := s.Write(ctx, ae); err != nil {
				t.Error(err)
			}
			zero(reflect.ValueOf(ae).Elem())
		})
	}
	writers.Wait()
	for e := range kept.Range {
		e := e.(*driver.Event) //nolint:forcetypeassert // it holds nothing else
		if got := factsOf(e.Spec()); !reflect.DeepEqual(got, facts()) {
			t.Errorf("an event became %s", indented(t, got))
		}
	}
}

func TestLongFactsAreShortenedAlike(t *testing.T) {
	long := facts()
	long.Actor.User, long.Request.ID = strings.Repeat("u", 5000), strings.Repeat("i", 5000)
	long.Actor.Groups = make([]string, 40)
	var stamped, own *driver.Event
	if err := keeping(&stamped).Write(auditing.With(t.Context(), long), denial()); err != nil {
		t.Fatal(err)
	}
	ae := denial()
	ae.Spec.Actor, ae.Spec.Request = long.Actor, long.Request
	if err := keeping(&own).Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	if a, b := stamped.Spec(), own.Spec(); !reflect.DeepEqual(a.Actor, b.Actor) || !reflect.DeepEqual(a.Request, b.Request) {
		t.Errorf("from the context %s, from the event %s", indented(t, a), indented(t, b))
	}
	if g := own.Spec().Actor.Groups; len(g) != v1alpha1.MaxActorGroups || g[len(g)-1] != "…[25 more groups]" {
		t.Errorf("groups %q", g)
	}
	if len(long.Actor.Groups) != 40 || len(long.Actor.User) != 5000 {
		t.Error("the caller's facts were changed")
	}
}

func TestADryRunLeavesNoEvent(t *testing.T) {
	var stored *driver.Event
	s := keeping(&stored)
	ctx := auditing.With(auditing.With(t.Context(), auditing.Facts{DryRun: true}), facts())
	ae := denial()
	var err error
	got := rises(t, func() { err = s.Write(ctx, ae) })
	if err != nil || stored != nil || ae.Name != "" {
		t.Errorf("Write: %v; stored %v under %q", err, stored, ae.Name)
	}
	wantRises(t, "a dry run", got, "paddock_audit_dry_run_events_total")
	ae.Spec.Kind = ""
	if class, _ := driver.ClassOf(s.Write(ctx, ae)); class != auditing.ClassInvalid {
		t.Errorf("an invalid event of a dry run is %q", class)
	}
}

func TestOnStoredHearsOfStoredEventsOnce(t *testing.T) {
	var names []string
	heard := func(ae *v1alpha1.AuditEvent) { names = append(names, ae.Name) }
	ctx := auditing.With(t.Context(), auditing.Facts{OnStored: heard})
	refuse := false
	inner := newSink(stub{info: driver.Info{Name: "inner"}, store: func(context.Context, []*driver.Event) []error {
		if refuse {
			return []error{errRefused}
		}
		return nil
	}})
	// A plain sink between two of this package's, which hands its object on.
	s := inFront(t, handingOn(inner))
	ae := denial()
	if err := s.Write(ctx, ae); err != nil {
		t.Fatal(err)
	}
	if len(names) != 1 || names[0] != ae.Name {
		t.Errorf("heard of %q, want %q", names, ae.Name)
	}
	refuse = true
	if err := s.Write(ctx, denial()); err == nil || len(names) != 1 {
		t.Errorf("after a refusal (%v) heard of %q", err, names)
	}
	refuse = false
	panicking := auditing.With(ctx, auditing.Facts{OnStored: func(*v1alpha1.AuditEvent) { panic("boom") }})
	if err := s.Write(panicking, denial()); err != nil || len(names) != 2 {
		t.Errorf("a panic of OnStored: %v; heard of %q", err, names)
	}
}
