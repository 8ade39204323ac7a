package driver_test

import (
	"context"
	"errors"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// spiteful is an error that cannot be looked into.
type spiteful struct{}

func (spiteful) Error() string { return "spiteful" }
func (spiteful) Unwrap() error { panic("Unwrap") }

func TestAPanicOfOnErrorDoesNotReachTheWriter(t *testing.T) {
	panics := func(context.Context, *v1alpha1.AuditEvent, error) { panic("onError") }
	s := auditing.FailOpen(nil, panics)
	if err := s.Write(t.Context(), &v1alpha1.AuditEvent{}); err != nil {
		t.Error(err)
	}
	e := prepared(t, denial())
	if errs := driver.Of(s).Store(t.Context(), []*driver.Event{e}); errs != nil {
		t.Error(errs)
	}
}

func TestAnErrorThatPanicsIsPermanent(t *testing.T) {
	d := stub{info: driver.Info{Name: "stub"}, store: failing(spiteful{})}
	errs := driver.Of(driver.New(d)).Store(t.Context(), []*driver.Event{prepared(t, denial())})
	if len(errs) != 1 || errs[0] == nil {
		t.Fatalf("Store: %v, want an error", errs)
	}
	if class, _ := driver.ClassOf(errs[0]); class != auditing.ClassPermanent || !errors.Is(errs[0], auditing.ErrAuditWrite) {
		t.Errorf("class %s of %v, want permanent", class, errs[0])
	}
}
