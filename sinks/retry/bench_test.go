package retry_test

import (
	"context"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/retry"
)

// instant takes no time, so that what is left is the stage's own.
type instant struct{}

func (instant) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return auditing.Deliver(ctx, auditing.Target{Sink: "instant"}, ae, func(context.Context, *v1alpha1.AuditEvent) error { return nil })
}

// waiting asks for the context's channel, as a destination that waits does.
type waiting struct{}

func (waiting) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return auditing.Deliver(ctx, auditing.Target{Sink: "waiting"}, ae, func(ctx context.Context, _ *v1alpha1.AuditEvent) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		default:
			return nil
		}
	})
}

// BenchmarkWrite compares a write to the destination with one through the stage,
// where nothing is retried.
func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		name string
		next auditing.Sink
	}{{"instant", instant{}}, {"waiting", waiting{}}} {
		b.Run(c.name+"/without", func(b *testing.B) { benchmark(b, c.next) })
		b.Run(c.name+"/with", func(b *testing.B) { benchmark(b, newSink(b, c.next, retry.Options{})) })
	}
}

func benchmark(b *testing.B, s auditing.Sink) {
	b.Helper()
	b.ReportAllocs()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ae := event()
	for b.Loop() {
		if err := s.Write(ctx, ae); err != nil {
			b.Fatal(err)
		}
	}
}
