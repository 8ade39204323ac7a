// Package auditing is the program's own audit package: builders of events, and a sink that
// creates them in the API server with client.Create.
package auditing

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	paddockv1alpha1 "github.com/paddock-dev/audit/examples/migration/before/api/v1alpha1"
)

// ErrAuditWrite wraps every error of Write.
var ErrAuditWrite = errors.New("audit write failed")

var writeFailures = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "paddock_audit_write_failures_total",
	Help: "Audit events that could not be written.",
}, []string{"component", "decision", "kind"})

func init() { metrics.Registry.MustRegister(writeFailures) }

// Sink writes audit events.
type Sink interface {
	Write(ctx context.Context, ae *paddockv1alpha1.AuditEvent) error
}

// KubeSink creates events in the API server, labelled with the component.
type KubeSink struct {
	Client    client.Client
	Component string
}

// Write creates the event's object.
func (s *KubeSink) Write(ctx context.Context, ae *paddockv1alpha1.AuditEvent) error {
	if ae.Labels == nil {
		ae.Labels = map[string]string{}
	}
	ae.Labels["paddock.dev/component"] = s.Component
	if err := s.Client.Create(ctx, ae); err != nil {
		writeFailures.WithLabelValues(s.Component, string(ae.Spec.Decision), string(ae.Spec.Kind)).Inc()
		return fmt.Errorf("%w: %w", ErrAuditWrite, err)
	}
	return nil
}

// NoopSink drops every event.
type NoopSink struct{}

// Write returns nil.
func (NoopSink) Write(context.Context, *paddockv1alpha1.AuditEvent) error { return nil }
