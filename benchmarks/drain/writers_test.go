package drain_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

// writers write while a backlog is delivered.
const writers = 64

// writeUntil has n goroutines write new events, each the next one once the last is stored, until done is closed. It
// returns how many they wrote.
func writeUntil(b *testing.B, s auditing.Sink, n int, namespace string, done <-chan struct{}) int64 {
	var written atomic.Int64
	var wg sync.WaitGroup
	ctx := b.Context()
	for range n {
		wg.Go(func() {
			ae := bench.NewCredential()
			ae.Namespace = namespace
			for {
				select {
				case <-done:
					return
				default:
				}
				bench.Renew(ae)
				if err := s.Write(ctx, ae); err != nil {
					b.Error(err)
					return
				}
				written.Add(1)
			}
		})
	}
	<-done
	wrote := written.Load()
	wg.Wait()
	return wrote
}

// writeAlone measures the writers of a spool that delivers nothing meanwhile.
func writeAlone(b *testing.B) {
	s, err := spool.New(bench.Dir(b), driver.New(away{}), options())
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	events := make([]*v1alpha1.AuditEvent, writers)
	for i := range events {
		events[i] = bench.NewCredential()
	}
	bench.Measure(b, writers, bench.Writer{
		Write: func(w int) error {
			bench.Renew(events[w])
			return s.Write(ctx, events[w])
		},
		Close: func() error { abandon(b, s); return nil },
	})
}
