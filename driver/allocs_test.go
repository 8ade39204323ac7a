//go:build !race

package driver_test

import (
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

func TestWriteAllocatesTheEventAndItsIdentityAndNothingElse(t *testing.T) {
	ctx := t.Context()
	discard := newSink(stub{info: driver.Info{Name: "discard", Component: "proxy", Namespaced: true}})
	again := denial()
	for name, s := range map[string]auditing.Sink{"a sink": discard, "two stages": inFront(t, inFront(t, discard))} {
		write := func() {
			if err := s.Write(ctx, again); err != nil {
				t.Fatal(err)
			}
		}
		if got := testing.AllocsPerRun(100, write); got > 1 {
			t.Errorf("%s, an event that has its name: %v allocations, want at most 1", name, got)
		}
		// The event, name and time in one text, and two for the map of annotations.
		got := testing.AllocsPerRun(100, func() {
			again.Name, again.Annotations = "", nil // as a builder leaves them
			write()
		})
		if got > 4 {
			t.Errorf("%s, a new event: %v allocations, want at most 4", name, got)
		}
	}
}

func TestAnObjectAllocatesItsMapsAndLittleMore(t *testing.T) {
	ae := auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "hr-1", Namespace: ns, Reason: "why", When: noon})
	e, err := driver.Prepare(ae, "controller")
	if err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(100, func() { kept = e.Object() }); got > 6 {
		t.Errorf("%v allocations, want at most 6", got)
	}
}

func TestJSONAllocatesItsBytesAndTheirHeader(t *testing.T) {
	events := batch(t, 110)
	i := 0
	got := testing.AllocsPerRun(100, func() {
		_ = events[i].JSON()
		i++
	})
	if got > 2 {
		t.Errorf("%v allocations, want 2", got)
	}
}
