package driver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// write writes ae with a driver that stores with f, as a literal does and as a
// Sink does, which must come to the same.
func write(t *testing.T, f func(ctx context.Context, e *driver.Event) error, ae *v1alpha1.AuditEvent) error {
	t.Helper()
	d := stub{store: one(f)}
	literal, made := driver.Write(t.Context(), d, ae), newSink(d).Write(t.Context(), ae)
	if fmt.Sprint(literal) != fmt.Sprint(made) {
		t.Errorf("a literal's error is %v, that of a made sink %v", literal, made)
	}
	return literal
}

// mustNotStore fails the test when it is called.
func mustNotStore(t *testing.T) stub {
	return stub{store: func(context.Context, []*driver.Event) []error {
		t.Error("the driver is called")
		return nil
	}}
}

func TestWriteWrapsTheCauseSoThatItCanStillBeToldWhatItIs(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "auditevents"}, "ae-1", errRefused)
	ae := denial()
	d := stub{info: driver.Info{Name: "kube", Component: "proxy"}, store: failing(driver.Permanent(forbidden))}
	err := newSink(d).Write(t.Context(), ae)
	got := writeError(t, err)
	if !apierrors.IsForbidden(err) {
		t.Errorf("IsForbidden does not hold for %v", err)
	}
	want := auditing.WriteError{Sink: "kube", Event: ns + "/" + ae.Name, Component: "proxy", Class: auditing.ClassPermanent, Err: got.Err}
	if *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}
}

func TestADriverGetsAnEventThatIsIdentifiedAndFits(t *testing.T) {
	ae := denial()
	ae.Spec.Reason = text(5000)
	d := stub{info: driver.Info{Component: "proxy"}, store: one(func(_ context.Context, e *driver.Event) error {
		if e.Name() == "" || e.Name() != ae.Name || e.Component() != "proxy" || utf8.RuneCountInString(e.Object().Spec.Reason) > v1alpha1.MaxReasonLength {
			t.Errorf("the driver is handed %s", e.JSON())
		}
		return nil
	})}
	if err := newSink(d).Write(t.Context(), ae); err != nil || len(ae.Spec.Reason) != 5000 {
		t.Errorf("error %v; the caller's reason has %d bytes", err, len(ae.Spec.Reason))
	}
}

func TestWrittenTwiceAnEventHasOneIdentity(t *testing.T) {
	ae := denial()
	var got []*v1alpha1.AuditEvent
	for _, result := range []error{errRefused, nil} {
		_ = driver.Write(t.Context(), stub{store: one(func(_ context.Context, e *driver.Event) error {
			got = append(got, e.Object())
			return result
		})}, ae)
	}
	if len(got) != 2 || !reflect.DeepEqual(got[0], got[1]) {
		t.Errorf("first %s, then %s", indented(t, got[0]), indented(t, got[1]))
	}
}

func TestWriteRefusesAnInvalidEventWithoutCallingTheDriver(t *testing.T) {
	for _, ae := range []*v1alpha1.AuditEvent{nil, {}, auditing.NewEvent(auditing.EventInput{Kind: "a", Decision: "maybe"})} {
		err := newSink(mustNotStore(t)).Write(t.Context(), ae)
		if failed := writeError(t, err); failed.Class != auditing.ClassInvalid || failed.Sink != "stub" {
			t.Errorf("sink %q, class %s: %v", failed.Sink, failed.Class, err)
		}
	}
}

func TestAContextThatHasEndedIsATimeoutAndNothingIsStored(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ae := denial()
	err := newSink(mustNotStore(t)).Write(ctx, ae)
	if failed := writeError(t, err); failed.Class != auditing.ClassTimeout || !errors.Is(err, context.Canceled) {
		t.Errorf("class %s: %v", failed.Class, err)
	}
	if ae.Name == "" {
		t.Error("the event that was not stored has no identity, so a retry would give it another one")
	}
}

func TestErrorAfterTheContextEndsIsATimeout(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	err := driver.Write(ctx, stub{store: one(func(context.Context, *driver.Event) error {
		cancel(io.EOF)
		return errRefused
	})}, denial())
	if failed := writeError(t, err); failed.Class != auditing.ClassTimeout || !errors.Is(err, context.Canceled) || !errors.Is(err, errRefused) {
		t.Errorf("class %s: %v", failed.Class, err)
	}
}

func TestWhatADriverAcknowledgedCountsThoughTheContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := driver.Write(ctx, stub{store: one(func(context.Context, *driver.Event) error {
		cancel()
		return nil
	})}, denial())
	if err != nil {
		t.Error(err)
	}
}

func TestAPanicOfTheDriverIsAnError(t *testing.T) {
	var nothing map[string]string
	for want, f := range map[string]func(context.Context, *driver.Event) error{
		"panic: boom": func(context.Context, *driver.Event) error { panic("boom") },
		"nil map":     func(context.Context, *driver.Event) error { nothing["a"] = "b"; return nil },
		"nil pointer": nil,
	} {
		err := write(t, f, denial())
		if failed := writeError(t, err); failed.Class != auditing.ClassPermanent || !strings.Contains(err.Error(), want) {
			t.Errorf("class %s: %v", failed.Class, err)
		}
	}
}

func TestAPanicWithAnErrorUnwrapsToIt(t *testing.T) {
	err := write(t, func(context.Context, *driver.Event) error { panic(fmt.Errorf("client: %w", errRefused)) }, denial())
	if !errors.Is(err, errRefused) {
		t.Errorf("%v does not unwrap to what was thrown", err)
	}
}

func TestAComponentIsStampedOverWhatTheEventHad(t *testing.T) {
	ae := denial()
	ae.Labels[v1alpha1.LabelComponent] = "forged"
	for _, component := range []string{"proxy", ""} { // without one, the label stays
		d := stub{info: driver.Info{Component: component}, store: one(func(_ context.Context, e *driver.Event) error {
			if got := e.Component(); got != "proxy" {
				t.Errorf("the event's component is %q", got)
			}
			return nil
		})}
		if err := newSink(d).Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
		if got := ae.Labels[v1alpha1.LabelComponent]; got != "proxy" {
			t.Errorf("component %q", got)
		}
	}
}

func TestTheWrongNumberOfOutcomesFailsEveryEvent(t *testing.T) {
	for _, outcomes := range [][]error{{}, {nil, nil}, {nil, nil, nil, nil}, make([]error, 100)} {
		d := driver.Of(newSink(stub{info: driver.Info{Name: "broken"}, store: func(context.Context, []*driver.Event) []error { return outcomes }}))
		errs := d.Store(t.Context(), batch(t, 3))
		if len(errs) != 3 {
			t.Fatalf("%d outcomes for 3 events", len(errs))
		}
		for _, err := range errs {
			want := fmt.Sprintf("broken is broken: it gave %d outcomes for 3 events", len(outcomes))
			if failed := writeError(t, err); failed.Class != auditing.ClassTransient || !strings.Contains(err.Error(), want) {
				t.Errorf("class %s: %v", failed.Class, err)
			}
		}
	}
}

func TestOutcomesThatAreAllNilAreASuccess(t *testing.T) {
	d := stub{store: func(_ context.Context, events []*driver.Event) []error { return make([]error, len(events)) }}
	if err := newSink(d).Write(t.Context(), denial()); err != nil {
		t.Error(err)
	}
	if errs := driver.Of(newSink(d)).Store(t.Context(), batch(t, 3)); errs != nil {
		t.Errorf("outcomes %v, want nil", errs)
	}
}

func TestEachEventOfABatchHasItsOwnError(t *testing.T) {
	events := batch(t, 4)
	d := stub{store: func(context.Context, []*driver.Event) []error {
		return []error{nil, driver.Permanent(errRefused), nil, driver.WithClass(auditing.ClassFull, errRefused)}
	}}
	errs := driver.Of(newSink(d)).Store(t.Context(), events)
	if len(errs) != 4 || errs[0] != nil || errs[2] != nil {
		t.Fatalf("outcomes %v", errs)
	}
	for i, class := range map[int]auditing.Class{1: auditing.ClassPermanent, 3: auditing.ClassFull} {
		if failed := writeError(t, errs[i]); failed.Class != class || failed.Event != events[i].Ref() || failed.Sink != "stub" {
			t.Errorf("event %d: %+v", i, failed)
		}
	}
}

func TestASinkSaysWhatItsDriverSays(t *testing.T) {
	closed := 0
	s := newSink(stub{
		info:  driver.Info{Name: "kube", Chain: "retry(kube)", Level: auditing.LevelDurable},
		check: func(context.Context) error { return errRefused },
		close: func(context.Context) error { closed++; return io.EOF },
	})
	if s.Level() != auditing.LevelDurable || s.String() != "retry(kube)" || fmt.Sprintf("%v %#v", s, s) != "retry(kube) retry(kube)" {
		t.Errorf("level %s, %v, %#v", s.Level(), s, s)
	}
	if err := s.Check(t.Context()); !errors.Is(err, errRefused) {
		t.Errorf("Check: %v", err)
	}
	if err := s.Close(t.Context()); !errors.Is(err, io.EOF) || closed != 1 {
		t.Errorf("Close: %v, closed %d times", err, closed)
	}
	if unnamed := newSink(stub{}); unnamed.String() != "stub" {
		t.Errorf("without a chain it prints %q", unnamed)
	}
}

func TestTheZeroSinkRefusesEveryEvent(t *testing.T) {
	for name, s := range map[string]auditing.Sink{"zero": sink{}, "of a nil driver": newSink(nil)} {
		ae := denial()
		err := s.Write(t.Context(), ae)
		if failed := writeError(t, err); failed.Class != auditing.ClassPermanent || !strings.Contains(err.Error(), "New") || ae.Name == "" {
			t.Errorf("%s: class %s: %v", name, failed.Class, err)
		}
		if auditing.LevelOf(s) != auditing.LevelNone || auditing.Chain(s) != "none" {
			t.Errorf("%s: level %s, chain %s", name, auditing.LevelOf(s), auditing.Chain(s))
		}
		if err := auditing.Check(t.Context(), s); err == nil || !strings.Contains(err.Error(), "no destination") {
			t.Errorf("%s: Check: %v", name, err)
		}
		if err := errors.Join(auditing.Close(t.Context(), s), auditing.Close(t.Context(), s)); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
		if errs := driver.Of(s).Store(t.Context(), batch(t, 2)); len(errs) != 2 || errs[0] == nil || errs[1] == nil {
			t.Errorf("%s: outcomes %v", name, errs)
		}
	}
}
