package bench

import (
	"log/slog"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// Attributes are the fields of an event in one level, for slog.
func Attributes(ae *v1alpha1.AuditEvent) []slog.Attr {
	s := &ae.Spec
	attrs := append(make([]slog.Attr, 0, 12),
		slog.String("component", Component), slog.String("namespace", ae.Namespace),
		slog.String("run", s.RunRef.Name), slog.String("decision", string(s.Decision)), slog.Time("timestamp", s.Timestamp.Time))
	if s.MatchedPolicy != nil {
		attrs = append(attrs, slog.String("policy", s.MatchedPolicy.Name))
	}
	if s.Reason != "" {
		attrs = append(attrs, slog.String("reason", s.Reason))
	}
	if s.Credential != nil {
		attrs = append(attrs, slog.String("credential", s.Credential.Name), slog.String("provider", s.Credential.Provider))
	}
	if s.Destination != nil {
		attrs = append(attrs, slog.String("host", s.Destination.Host), slog.Int("port", int(s.Destination.Port)))
	}
	if s.Count != 0 {
		attrs = append(attrs, slog.Int("count", int(s.Count)))
	}
	if s.Detail != nil {
		attrs = append(attrs, slog.Any("detail", s.Detail))
	}
	return attrs
}
