package logfile_test

import (
	"maps"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
)

func create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

// encoder writes the keys that sinks/log writes.
func encoder() zapcore.Encoder {
	return zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey: "ts", LevelKey: "level", NameKey: "logger", MessageKey: "msg",
		EncodeLevel: zapcore.LowercaseLevelEncoder, EncodeTime: zapcore.RFC3339NanoTimeEncoder,
	})
}

func openCore(path string) (zapcore.Core, *os.File, error) {
	f, err := create(path)
	if err != nil {
		return nil, nil, err
	}
	return zapcore.NewCore(encoder(), zapcore.Lock(f), zapcore.DebugLevel), f, nil
}

// openZapCore is zap at its barest: the core is given the entry and the fields ready made, and writes the same line
// that openOursNamed writes. The keys of maps are sorted beforehand.
func openZapCore(path string, event bench.Event) (bench.Writer, error) {
	core, f, err := openCore(path)
	if err != nil {
		return bench.Writer{}, err
	}
	ae, err := bench.Named(event)
	fields := wholeEvent(ae)
	entry := zapcore.Entry{Level: level(ae), Time: bench.Time(ae).UTC(), LoggerName: "audit", Message: string(ae.Spec.Kind)}
	return bench.Writer{Write: func(int) error { return core.Write(entry, fields) }, Finish: f.Close}, err
}

// openZapFields is what somebody writes who logs with zap: a flat list of fields.
func openZapFields(path string, event bench.Event) (bench.Writer, error) {
	core, f, err := openCore(path)
	if err != nil {
		return bench.Writer{}, err
	}
	logger, ae := zap.New(core).Named("audit"), event.New()
	return bench.Writer{
		Write: func(int) error {
			logger.Info(string(ae.Spec.Kind), flat(ae)...)
			return nil
		},
		Finish: f.Close,
	}, nil
}

// openZapReflect hands the whole event to zap, which encodes it with encoding/json.
func openZapReflect(path string, event bench.Event) (bench.Writer, error) {
	core, f, err := openCore(path)
	if err != nil {
		return bench.Writer{}, err
	}
	logger, ae := zap.New(core).Named("audit"), event.New()
	return bench.Writer{
		Write: func(int) error {
			logger.Info(string(ae.Spec.Kind), zap.Reflect("event", ae))
			return nil
		},
		Finish: f.Close,
	}, nil
}

// level is that of sinks/log.
func level(ae *v1alpha1.AuditEvent) zapcore.Level {
	if ae.Spec.Decision == v1alpha1.AuditDecisionDenied {
		return zapcore.ErrorLevel
	}
	return zapcore.InfoLevel
}

// flat are the fields of an event in one level, with the time and without what it does not have.
func flat(ae *v1alpha1.AuditEvent) []zap.Field {
	s := &ae.Spec
	fields := append(make([]zap.Field, 0, 12),
		zap.String("component", bench.Component), zap.String("namespace", ae.Namespace),
		zap.String("run", s.RunRef.Name), zap.String("decision", string(s.Decision)), zap.Time("timestamp", s.Timestamp.Time))
	if s.MatchedPolicy != nil {
		fields = append(fields, zap.String("policy", s.MatchedPolicy.Name))
	}
	if s.Reason != "" {
		fields = append(fields, zap.String("reason", s.Reason))
	}
	if s.Credential != nil {
		fields = append(fields, zap.String("credential", s.Credential.Name), zap.String("provider", s.Credential.Provider))
	}
	if s.Destination != nil {
		fields = append(fields, zap.String("host", s.Destination.Host), zap.Int32("port", s.Destination.Port))
	}
	if s.Count != 0 {
		fields = append(fields, zap.Int32("count", s.Count))
	}
	if s.Detail != nil {
		fields = append(fields, zap.Any("detail", s.Detail))
	}
	return fields
}

// wholeEvent are the fields of the line that sinks/log writes, made once: encoding them is all that is left.
func wholeEvent(ae *v1alpha1.AuditEvent) []zap.Field {
	s := &ae.Spec
	decided := []zap.Field{
		zap.Dict("runRef", zap.String("name", s.RunRef.Name)), zap.String("decision", string(s.Decision)),
		zap.String("kind", string(s.Kind)), zap.String("timestamp", s.Timestamp.UTC().Format(time.RFC3339)),
	}
	if d := s.Destination; d != nil {
		decided = append(decided, zap.Dict("destination", zap.String("host", d.Host), zap.Int32("port", d.Port)))
	}
	if c := s.Credential; c != nil {
		decided = append(decided, zap.Dict("credential", zap.String("name", c.Name), zap.String("provider", c.Provider)))
	}
	if s.MatchedPolicy != nil {
		decided = append(decided, zap.Dict("matchedPolicy", zap.String("name", s.MatchedPolicy.Name)))
	}
	if s.Reason != "" {
		decided = append(decided, zap.String("reason", s.Reason))
	}
	if s.Count != 0 {
		decided = append(decided, zap.Int32("count", s.Count))
	}
	if len(s.Detail) > 0 {
		decided = append(decided, zap.Dict("detail", sorted(s.Detail)...))
	}
	return []zap.Field{
		zap.String("apiVersion", v1alpha1.GroupVersion.String()), zap.String("kind", "AuditEvent"),
		zap.Dict("metadata",
			zap.String("name", ae.Name), zap.String("generateName", ae.GenerateName), zap.String("namespace", ae.Namespace),
			zap.Dict("labels", sorted(ae.Labels)...), zap.Dict("annotations", sorted(ae.Annotations)...)),
		zap.Dict("spec", decided...),
	}
}

func sorted(m map[string]string) []zap.Field {
	var fields []zap.Field
	for _, key := range slices.Sorted(maps.Keys(m)) {
		fields = append(fields, zap.String(key, m[key]))
	}
	return fields
}
