package driver_test

import (
	"context"
	"errors"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// guarded fails its check and its Close.
type guarded struct{}

var errGuarded = errors.New("not yours")

func (guarded) Info() driver.Info {
	return driver.Info{Name: "guarded", Chain: "guarded(all)", Level: auditing.LevelDurable}
}

func (guarded) Store(_ context.Context, events []*driver.Event) []error {
	return driver.All(len(events), errGuarded)
}

func (guarded) Check(context.Context) error { return errGuarded }
func (guarded) Close(context.Context) error { return errGuarded }

func TestSharedSinkIsNeitherCheckedNorClosed(t *testing.T) {
	owner := driver.New(guarded{})
	shared := driver.Shared(owner)
	for name, err := range map[string]error{
		"Check": shared.Check(t.Context()), "Close": shared.Close(t.Context()),
		"Check behind a stage": driver.Of(shared).Check(t.Context()), "Close behind a stage": driver.Of(shared).Close(t.Context()),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if owner.Check(t.Context()) == nil || owner.Close(t.Context()) == nil {
		t.Error("the owner's sink has changed")
	}
	if shared.String() != "guarded(all)" || shared.Level() != auditing.LevelDurable {
		t.Errorf("%s at level %s", shared, shared.Level())
	}
	err := shared.Write(t.Context(), auditing.NewEvent(auditing.EventInput{Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionGranted}))
	var failed, inner *auditing.WriteError
	if !errors.As(err, &failed) || errors.As(failed.Err, &inner) || !errors.Is(err, errGuarded) {
		t.Errorf("Write: %v, want one WriteError around the cause", err)
	}
	if err := driver.Shared(nil).Check(t.Context()); err == nil {
		t.Error("no sink passes its check")
	}
}
