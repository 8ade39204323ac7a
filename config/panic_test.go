package config_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/config"
)

// brokenHandler panics at each record.
type brokenHandler struct{ slog.Handler }

func (brokenHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (brokenHandler) Handle(context.Context, slog.Record) error { panic("Handle") }

func TestPanicsOfHooksDoNotReachTheWriter(t *testing.T) {
	path := writeFile(t, "sinks: {a: {type: recorder, to: x}}\ncomponents: {proxy: {sink: a, onFailure: open}}\n")
	for name, deps := range map[string]config.Deps{
		"OnFailure": {Static: true, OnFailure: func(context.Context, *v1alpha1.AuditEvent, error) { panic("OnFailure") }},
		"Logger":    {Static: true, Logger: slog.New(brokenHandler{slog.DiscardHandler})},
	} {
		t.Run(name, func(t *testing.T) {
			var all recorders
			trail := opened(t, path, all.types(t), deps)
			ae := event(granted)
			ae.Spec.Kind = "Not A Label"
			if err := trail.For("proxy").Write(t.Context(), ae); err != nil {
				t.Errorf("Write: %v, want nil, as the component fails open", err)
			}
		})
	}
}
