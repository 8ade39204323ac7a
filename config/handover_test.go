package config_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/driver"
)

func TestFailedHandOverIsRestoredByItself(t *testing.T) {
	var all recorders
	var log logBuffer
	const old = "sinks: {a: {type: recorder, to: x, alone: true}, b: {type: recorder, to: y}}\ncomponents: {broker: {sink: a}, other: {sink: b}}\n"
	path := filepath.Join(t.TempDir(), "audit.yaml")
	put(t, path, head+old)
	trail := opened(t, path, all.types(t), config.Deps{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	all.refuse.Store(true)
	put(t, path, head+strings.Replace(old, "alone: true", "alone: true, password: other", 1))
	eventually(t, "the hand-over has failed", func() bool { return strings.Contains(log.String(), "level=ERROR") })
	if got := log.String(); strings.Contains(got, "the old one goes on") || !strings.Contains(got, "tried again") {
		t.Errorf("log: %s, want that the sink is away and is tried again", got)
	}
	err := trail.For("broker").Write(t.Context(), event(granted))
	if class, _ := driver.ClassOf(err); class != auditing.ClassTransient || !strings.Contains(err.Error(), "sinks.a") {
		t.Errorf("a write meanwhile: class %s: %v, want transient", class, err)
	}
	if err := auditing.Check(t.Context(), trail.For("broker")); err == nil {
		t.Error("a sink that is away passes its check")
	}
	if err := trail.For("other").Write(t.Context(), event(granted)); err != nil {
		t.Errorf("a write to another sink: %v", err)
	}
	all.refuse.Store(false)
	eventually(t, "the old sink is open again", func() bool {
		err := trail.For("broker").Write(t.Context(), event(granted))
		return err == nil
	})
	if len(all.get("x").Events()) != 1 {
		t.Errorf("%d events, want 1", len(all.get("x").Events()))
	}
	eventually(t, "the log says so", func() bool { return strings.Contains(log.String(), "is open again") })
}

func TestCloseEndsTheTriesToRestore(t *testing.T) {
	var all recorders
	const old = "sinks: {a: {type: recorder, to: x, alone: true}}\ncomponents: {broker: {sink: a}}\n"
	path := writeFile(t, old)
	trail, err := config.Open(t.Context(), path, all.types(t), config.Deps{Static: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	all.refuse.Store(true)
	put(t, path, head+strings.Replace(old, "alone: true", "alone: true, password: other", 1))
	if err := trail.Reload(t.Context()); !errors.Is(err, errRefused) {
		t.Fatal(err)
	}
	begin := time.Now()
	closeTrail(t, trail)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Close took %s", took)
	}
	err = trail.For("broker").Write(t.Context(), event(granted))
	if class, _ := driver.ClassOf(err); class != auditing.ClassClosed {
		t.Errorf("a write after Close: class %s: %v", class, err)
	}
}

// lingering is a sink that cannot hand on what it holds: its Close takes all the time that it gets.
type lingering struct{ driver.Driver }

func (lingering) Close(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

type lingeringSection struct {
	recorderSection `yaml:",inline"`
}

func (s *lingeringSection) Open(ctx context.Context, o config.Opening) (auditing.Sink, error) {
	sink, err := s.recorderSection.Open(ctx, o)
	if err != nil || s.Password != "" {
		return sink, err
	}
	return driver.New(lingering{driver.Of(sink)}), nil
}

func TestHandOverDespiteASinkThatDoesNotClose(t *testing.T) {
	t.Parallel()
	var all recorders
	types := all.types(t)
	if err := types.Add(config.Type{Name: "lingering", New: func() config.Section {
		return &lingeringSection{recorderSection{all: &all}}
	}}); err != nil {
		t.Fatal(err)
	}
	const old = "sinks: {a: {type: lingering, to: x, alone: true}}\ncomponents: {broker: {sink: a}}\n"
	path := writeFile(t, old)
	trail := opened(t, path, types, config.Deps{Static: true})
	put(t, path, head+strings.Replace(old, "alone: true", "alone: true, password: other", 1))
	if err := trail.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := trail.For("broker").Write(t.Context(), event(granted)); err != nil {
		t.Error(err)
	}
}
