package batcher_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/paddock-dev/audit/driver/batcher"
)

// BenchmarkBatcher stores items with a send that does nothing: what is left is what handing an
// item over and waking its writer costs.
func BenchmarkBatcher(b *testing.B) {
	for _, writers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			batches, err := batcher.New(batcher.Options[*int]{})
			if err != nil {
				b.Fatal(err)
			}
			var requests atomic.Int64
			q := batches.Queue(func(context.Context, []*int) []error { requests.Add(1); return nil })
			ctx, item := b.Context(), []*int{new(int)}
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if errs := q.Store(ctx, item); errs != nil {
							b.Error(errs)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.N)/float64(requests.Load()), "events/request")
			if err := batches.Close(ctx); err != nil {
				b.Error(err)
			}
		})
	}
}
