package config_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

func TestAWriteUnderWayEndsWhereItBeganAndItsSinkIsClosedThen(t *testing.T) {
	var all recorders
	path := writeFile(t, "sinks: {a: {type: recorder, to: old}}\ncomponents: {broker: {sink: a}}\n")
	trail := opened(t, path, all.types(t), config.Deps{Static: true})
	release := all.get("old").Hang()
	wrote := make(chan error, 1)
	go func() { wrote <- trail.For("broker").Write(context.Background(), event(granted)) }()
	eventually(t, "the write hangs", func() bool { return all.get("old").underWay.Load() == 1 })
	put(t, path, to("new"))
	if err := trail.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	arrives(t, trail, all.get("new"))
	if got := all.noted(); !slices.Equal(got, []string{"open a", "open a"}) {
		t.Errorf("%v, want the old sink open while a write is under way", got)
	}
	release()
	if err := <-wrote; err != nil || len(all.get("old").Events()) != 1 {
		t.Errorf("the write under way: %v, and %d events", err, len(all.get("old").Events()))
	}
	eventually(t, "the old sink is closed", func() bool { return slices.Contains(all.noted(), "close a") })
}

func TestASinkThatHasNotChangedIsNotOpenedAgain(t *testing.T) {
	var all recorders
	path := writeFile(t, "sinks:\n  a: {type: recorder, to: x}\n  b: {type: recorder, to: x}\n  c: {type: recorder, to: x, next: [b]}\ncomponents: {k: {sink: a}, l: {sink: c}}\n")
	trail := opened(t, path, all.types(t), config.Deps{Static: true})
	put(t, path, head+"sinks:\n  # the same, in other words\n  a:\n    to: x\n    type: recorder\n  b: {type: recorder, to: y}\n  c: {type: recorder, to: x, next: [b]}\n"+
		"components: {k: {sink: c}, l: {sink: a}}\n")
	if err := trail.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the changed sink and the one before it are closed", func() bool { return len(all.noted()) == 7 })
	if got, want := all.noted(), []string{"open a", "open b", "open c", "open b", "open c", "close c", "close b"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestASinkThatChangesHandsIsOpenedAgainWhenTheNewFileCannotBe(t *testing.T) {
	var all recorders
	types := builtin.Types()
	if err := types.Add(config.Type{Name: "recorder", New: func() config.Section { return &recorderSection{all: &all} }}); err != nil {
		t.Fatal(err)
	}
	log := t.TempDir() + "/audit.log"
	text := func(backups int, last string) string {
		return head + fmt.Sprintf("sinks:\n  file: {type: log, path: %s, maxBackups: %d}\n  z: {type: recorder, to: x%s}\n", log, backups, last) +
			"components:\n  k: {sink: file, onFailure: open}\n  l: {sink: z}\n"
	}
	path := t.TempDir() + "/audit.yaml"
	put(t, path, text(1, ""))
	var lost failures
	trail := opened(t, path, types, config.Deps{Static: true, OnFailure: lost.add})
	put(t, path, text(2, ", open: badly"))
	if err := trail.Reload(t.Context()); !errors.Is(err, errRefused) {
		t.Fatalf("Reload: %v", err)
	}
	put(t, path, text(3, ""))
	for range 2 {
		if err := trail.For("k").Write(t.Context(), event(granted)); err != nil {
			t.Fatal(err)
		}
		if err := trail.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if texts := lost.all(); len(texts) > 0 {
		t.Errorf("writes failed: %v", texts)
	}
	if names := namesInLog(t, log); len(names) != 2 {
		t.Errorf("%d events in the log, want 2", len(names))
	}
}
