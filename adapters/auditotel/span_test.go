package auditotel_test

import (
	"context"
	"reflect"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/paddock-dev/audit/adapters/auditotel"
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

func inSpan(ctx context.Context, id byte) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0xab, 15: id}, SpanID: trace.SpanID{0xcd, 7: id},
	}))
}

func TestTheSpanOfTheContextIsTheTrace(t *testing.T) {
	ctx := auditing.With(t.Context(), auditing.Facts{Request: &v1alpha1.AuditRequest{ID: "1"}})
	for _, id := range []byte{1, 2} { // the second one is a child of the first one
		ctx = auditotel.With(inSpan(ctx, id))
	}
	want := auditing.Facts{
		Request: &v1alpha1.AuditRequest{ID: "1"},
		Trace:   &v1alpha1.AuditTrace{TraceID: "ab000000000000000000000000000002", SpanID: "cd00000000000002"},
	}
	if got := auditing.FactsFrom(ctx); !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v", got.Trace)
	}
}

func TestAnInvalidSpanAddsNothing(t *testing.T) {
	for name, config := range map[string]trace.SpanContextConfig{
		"none":             {},
		"without a span":   {TraceID: trace.TraceID{1}},
		"without a trace":  {SpanID: trace.SpanID{1}},
		"with a flag only": {TraceFlags: trace.FlagsSampled},
	} {
		ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(config))
		if auditotel.With(ctx) != ctx {
			t.Errorf("%s: the context has changed", name)
		}
	}
}

func TestAWriteReadsNoSpanByItself(t *testing.T) {
	var sink sinktest.Recorder
	ae := auditing.NewRunCompleted(auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"})
	if err := sink.Write(inSpan(t.Context(), 1), ae); err != nil {
		t.Fatal(err)
	}
	if got := sink.Events()[0].Spec.Trace; got != nil {
		t.Errorf("the event has %+v", got)
	}
}
