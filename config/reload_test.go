package config_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

func TestReloadClosesOldSinkAfterWritesUnderWay(t *testing.T) {
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

func TestUnchangedSinkIsNotOpenedAgain(t *testing.T) {
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

func TestFailedHandOverOpensOldSinkAgain(t *testing.T) {
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

func TestWritesGoOnAfterHandOverGaveUp(t *testing.T) {
	var all recorders
	text := func(password string) string {
		return "sinks: {a: {type: recorder, to: x, alone: true, password: " + password + "}}\ncomponents: {broker: {sink: a}}\n"
	}
	path := writeFile(t, text("old"))
	trail := opened(t, path, all.types(t), config.Deps{Static: true})
	put(t, path, head+text("new"))
	for range 20 {
		release := all.get("x").Hang()
		var writing sync.WaitGroup
		write := func() {
			if err := trail.For("broker").Write(context.Background(), event(granted)); err != nil {
				t.Errorf("Write: %v", err)
			}
		}
		for range 4 {
			writing.Go(write)
		}
		eventually(t, "writes hang", func() bool { return all.get("x").underWay.Load() == 4 })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := trail.Reload(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Reload: %v", err)
		}
		cancel()
		release()
		for range 4 {
			writing.Go(write)
		}
		writing.Wait()
	}
	if err := trail.Reload(t.Context()); err != nil {
		t.Errorf("Reload of a calm trail: %v", err)
	}
	if got := len(all.get("x").Events()); got != 160 {
		t.Errorf("%d events, want 160", got)
	}
}

func TestReloadOpensSinkThatHandOverLost(t *testing.T) {
	var all recorders
	const old = "sinks: {a: {type: recorder, to: x, alone: true}}\ncomponents: {broker: {sink: a}}\n"
	path := writeFile(t, old)
	trail := opened(t, path, all.types(t), config.Deps{Static: true})
	put(t, path, head+"sinks: {a: {type: recorder, to: x, alone: true, password: other}}\ncomponents: {broker: {sink: a}}\n")
	all.refuse.Store(true)
	if err := trail.Reload(t.Context()); !errors.Is(err, errRefused) {
		t.Fatalf("Reload: %v", err)
	}
	if err := trail.For("broker").Write(t.Context(), event(granted)); !errors.Is(err, auditing.ErrAuditWrite) {
		t.Errorf("a write to a sink that could not be opened again: %v", err)
	}
	all.refuse.Store(false)
	put(t, path, head+old) // it describes the sink that was closed
	if err := trail.Reload(t.Context()); err != nil {
		t.Fatalf("Reload: %v", err)
	}
	arrives(t, trail, all.get("x"))
}
