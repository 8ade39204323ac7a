package driver_test

import (
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// BenchmarkWrite measures what the contract costs on top of a destination, which
// does nothing here. The builder's own cost is part of it.
func BenchmarkWrite(b *testing.B) {
	ctx := b.Context()
	discard := newSink(stub{info: driver.Info{Name: "discard", Component: "proxy", Namespaced: true}})
	b.Run("new event", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := discard.Write(ctx, denial()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("same event again", func(b *testing.B) {
		b.ReportAllocs()
		ae := denial()
		for b.Loop() {
			if err := discard.Write(ctx, ae); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, s := range map[string]auditing.Sink{
		"two stages before the sink": inFront(b, inFront(b, discard)),
		"three sinks behind a stage": inFront(b, discard, discard, discard),
		"plain sink behind a stage":  inFront(b, plain{}),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Write(ctx, denial()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
