package retry_test

import (
	"context"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/retry"
)

// instant takes no time, so that what is left is the stage's own.
type instant struct{ driver.Base }

func (instant) Info() driver.Info                              { return driver.Info{Name: "instant"} }
func (instant) Store(context.Context, []*driver.Event) []error { return nil }

// waiting asks for the context's channel, as a destination that waits does.
type waiting struct{ driver.Base }

func (waiting) Info() driver.Info { return driver.Info{Name: "waiting"} }

func (waiting) Store(ctx context.Context, events []*driver.Event) []error {
	select {
	case <-ctx.Done():
		return driver.All(len(events), ctx.Err())
	default:
		return nil
	}
}

// BenchmarkWrite compares a write to the destination with one through the stage,
// where nothing is retried.
func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		name string
		next auditing.Sink
	}{{"instant", driver.New(instant{})}, {"waiting", driver.New(waiting{})}} {
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
