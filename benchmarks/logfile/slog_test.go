package logfile_test

import (
	"context"
	"log/slog"

	"github.com/rs/zerolog"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
)

// openSlog writes flat attributes with the standard library's JSON handler.
func openSlog(path string, event bench.Event) (bench.Writer, error) {
	f, err := create(path)
	if err != nil {
		return bench.Writer{}, err
	}
	logger, ae, ctx := slog.New(slog.NewJSONHandler(f, nil)), event.New(), context.Background()
	return bench.Writer{
		Write: func(int) error {
			logger.LogAttrs(ctx, slog.LevelInfo, string(ae.Spec.Kind), bench.Attributes(ae)...)
			return nil
		},
		Finish: f.Close,
	}, nil
}

// openZerolog writes the same flat fields.
func openZerolog(path string, event bench.Event) (bench.Writer, error) {
	f, err := create(path)
	if err != nil {
		return bench.Writer{}, err
	}
	logger, ae := zerolog.New(f).With().Timestamp().Logger(), event.New()
	return bench.Writer{
		Write:  func(int) error { zerologFields(logger.Info(), ae).Msg(string(ae.Spec.Kind)); return nil },
		Finish: f.Close,
	}, nil
}

func zerologFields(e *zerolog.Event, ae *v1alpha1.AuditEvent) *zerolog.Event {
	s := &ae.Spec
	e.Str("component", bench.Component).Str("namespace", ae.Namespace).Str("run", s.RunRef.Name).
		Str("decision", string(s.Decision)).Time("timestamp", s.Timestamp.Time)
	if s.MatchedPolicy != nil {
		e.Str("policy", s.MatchedPolicy.Name)
	}
	if s.Reason != "" {
		e.Str("reason", s.Reason)
	}
	if s.Credential != nil {
		e.Str("credential", s.Credential.Name).Str("provider", s.Credential.Provider)
	}
	if s.Destination != nil {
		e.Str("host", s.Destination.Host).Int32("port", s.Destination.Port)
	}
	if s.Count != 0 {
		e.Int32("count", s.Count)
	}
	if s.Detail != nil {
		detail := zerolog.Dict()
		for key, value := range s.Detail {
			detail.Str(key, value)
		}
		e.Dict("detail", detail)
	}
	return e
}
