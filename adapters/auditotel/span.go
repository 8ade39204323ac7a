// Package auditotel says in audit events in which span of a distributed trace
// (OpenTelemetry) they were written.
//
//	ctx = auditotel.With(ctx)
//
// A Write reads no span by itself: call With where the request comes in, behind what
// starts its span.
package auditotel

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// With returns ctx with its span as the trace of the events that are written with it. A
// context without a valid span is returned as it is. Whether the span is sampled does
// not matter: logs and other services have its ids in any case.
func With(ctx context.Context) context.Context {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return ctx
	}
	return auditing.With(ctx, auditing.Facts{
		Trace: &v1alpha1.AuditTrace{TraceID: span.TraceID().String(), SpanID: span.SpanID().String()},
	})
}
