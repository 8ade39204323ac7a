package auditing

import (
	"context"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

func discard(context.Context, *v1alpha1.AuditEvent) error { return nil }

// BenchmarkDeliver measures what the contract costs on top of a transport: the
// transport here does nothing. The builder's own cost is part of it.
func BenchmarkDeliver(b *testing.B) {
	ctx := b.Context()
	target := Target{Sink: "discard", Component: "proxy", Namespaced: true}
	b.Run("new event", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := Deliver(ctx, target, NewEgressBlock(egressInput), discard); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("same event again", func(b *testing.B) {
		b.ReportAllocs()
		ae := NewEgressBlock(egressInput)
		for b.Loop() {
			if err := Deliver(ctx, target, ae, discard); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("two stages before the sink", func(b *testing.B) {
		b.ReportAllocs()
		stage := func(name string, next Transport) Transport {
			return func(ctx context.Context, ae *v1alpha1.AuditEvent) error {
				return Deliver(ctx, Target{Sink: name, Stage: true}, ae, next)
			}
		}
		write := stage("outer", stage("inner", func(ctx context.Context, ae *v1alpha1.AuditEvent) error {
			return Deliver(ctx, target, ae, discard)
		}))
		for b.Loop() {
			if err := write(ctx, NewEgressBlock(egressInput)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
