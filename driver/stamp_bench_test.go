package driver_test

import (
	"context"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// What the facts of a request add to a write, beside the encoding of the same event.
func BenchmarkFacts(b *testing.B) {
	s := newSink(stub{info: driver.Info{Name: "discard", Component: "proxy"}})
	write := func(ctx context.Context) func(*testing.B) {
		return func(b *testing.B) {
			ae := denial()
			b.ReportAllocs()
			for b.Loop() {
				ae.Name, ae.Annotations = "", nil // as a builder leaves them
				ae.Spec.Actor, ae.Spec.Object, ae.Spec.Request, ae.Spec.Trace = nil, nil, nil, nil
				if err := s.Write(ctx, ae); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("write=without", write(b.Context()))
	b.Run("write=with", write(auditing.With(b.Context(), facts())))
	b.Run("encode", func(b *testing.B) {
		ae := denial()
		f := facts()
		ae.Spec.Actor, ae.Spec.Object, ae.Spec.Request, ae.Spec.Trace = f.Actor, f.Object, f.Request, f.Trace
		e := prepared(b, ae)
		var to []byte
		b.ReportAllocs()
		for b.Loop() {
			to = e.AppendJSON(to[:0])
		}
	})
}
