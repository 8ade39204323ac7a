package hooks_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/hooks"
)

// broken is a handler all of whose methods panic.
type broken struct{}

func (broken) Enabled(context.Context, slog.Level) bool  { panic("Enabled") }
func (broken) Handle(context.Context, slog.Record) error { panic("Handle") }
func (broken) WithAttrs([]slog.Attr) slog.Handler        { panic("WithAttrs") }
func (broken) WithGroup(string) slog.Handler             { panic("WithGroup") }

func TestCallReturnsAPanicAsAnError(t *testing.T) {
	if err := hooks.Call("OnFailure", func() { panic("out of order") }); err == nil || !strings.Contains(err.Error(), "OnFailure panicked: out of order") {
		t.Errorf("Call: %v, want the panic", err)
	}
	if err := hooks.Call("OnFailure", func() {}); err != nil {
		t.Errorf("Call without a panic: %v", err)
	}
}

func TestLoggerSurvivesAHandlerThatPanics(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(broken{})) // to which Call reports
	defer slog.SetDefault(before)
	hooks.Logger(slog.New(broken{})).With("a", 1).WithGroup("g").Error("message")
}
