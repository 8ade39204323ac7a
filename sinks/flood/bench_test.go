package flood_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/flood"
)

// instant is a destination that takes no time, so that what is left is the stage's
// own.
var instant = driver.New(taker{})

type taker struct{ driver.Base }

func (taker) Info() driver.Info                              { return driver.Info{Name: "instant"} }
func (taker) Store(context.Context, []*driver.Event) []error { return nil }

// fresh are events that no sink has seen, at no cost: each of few events, of a
// run each and identified already, gets another reason every time.
type fresh struct {
	events  [256]*v1alpha1.AuditEvent
	reasons []string
	n       int
}

func newFresh(tb testing.TB) *fresh {
	tb.Helper()
	f := &fresh{}
	for i := range f.events {
		f.events[i] = blocked("run-"+strconv.Itoa(i), "evil.example")
		must(tb, instant.Write(context.Background(), f.events[i]))
	}
	for i := range 1 << 18 { // more than are remembered
		f.reasons = append(f.reasons, strconv.Itoa(i))
	}
	return f
}

func (f *fresh) next() *v1alpha1.AuditEvent {
	ae := f.events[f.n%len(f.events)]
	ae.Spec.Reason = f.reasons[f.n%len(f.reasons)]
	f.n++
	return ae
}

// uncollapsed are the options under which nothing is collapsed: each window ends
// before its key comes again.
var uncollapsed = flood.Options{Window: 1, Rate: 1e9}

// BenchmarkWrite compares a write to the destination with one through the stage,
// where nothing is collapsed: each event is the first of its key.
func BenchmarkWrite(b *testing.B) {
	b.Run("without", func(b *testing.B) { benchmark(b, instant) })
	b.Run("with", func(b *testing.B) {
		benchmark(b, newSink(b, instant, uncollapsed))
	})
	b.Run("stand-alone", func(b *testing.B) {
		benchmark(b, newSink(b, instant, flood.Options{StandAlone: []v1alpha1.AuditKind{v1alpha1.AuditKindEgressBlock}}))
	})
}

func benchmark(b *testing.B, s auditing.Sink) {
	b.Helper()
	b.ReportAllocs()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	events := newFresh(b)
	for b.Loop() {
		if err := s.Write(ctx, events.next()); err != nil {
			b.Fatal(err)
		}
	}
}
