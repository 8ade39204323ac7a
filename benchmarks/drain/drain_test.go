// Package drain_test measures how fast a spool delivers what an outage has left in it, beside what the destination takes
// at most, and while 64 writers go on.
package drain_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/spool"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // otherwise controller-runtime complains amid the results
	os.Exit(testenv.Run(m))
}

// BenchmarkDrain has a backlog of as many events as -benchtime Nx says.
func BenchmarkDrain(b *testing.B) {
	for _, to := range []struct {
		name string
		open func(b *testing.B) target
	}{{"victorialogs", openVictoriaLogs}, {"kube", openKube}} {
		peers := []struct {
			name    string
			measure func(b *testing.B, to target)
		}{
			{"ours", func(b *testing.B, to target) { drain(b, to, 0) }},
			{"limit", func(b *testing.B, to target) { limit(b, to, to.inFlight) }},
			{"limit-one", func(b *testing.B, to target) { limit(b, to, 1) }},
			{"ours-beside-writers", func(b *testing.B, to target) { drain(b, to, writers) }},
			{"writers", func(b *testing.B, _ target) { writeAlone(b) }},
		}
		for i := range peers {
			peer := peers[(bench.Round()+i)%len(peers)]
			b.Run(fmt.Sprintf("to=%s/peer=%s", to.name, peer.name), func(b *testing.B) { peer.measure(b, to.open(b)) })
		}
	}
}

// target is a destination that a measurement has for itself.
type target struct {
	sink      auditing.Sink
	namespace string // of its events
	inFlight  int    // requests of the sink at once, for a batch of the spool
	// requests prepares what the sink sends for these events.
	requests func(b *testing.B, events []*driver.Event) []request
	// stored counts what arrived.
	stored func(context.Context) (int, error)
}

// request sends what was prepared.
type request func(context.Context) error

// drain measures the delivery of a backlog. Some writers write to the same spool until the backlog is delivered.
func drain(b *testing.B, to target, writers int) {
	dir := bench.Dir(b)
	backlog := fill(b, dir, to.namespace)
	counted := &counter{Driver: driver.Of(to.sink), want: int64(b.N), open: make(chan struct{}), reached: make(chan struct{})}
	s, err := spool.New(dir, driver.New(counted), options())
	if err != nil {
		b.Fatal(err)
	}
	peak := watchMemory()
	before := bench.ProcessorTime(b)
	b.ResetTimer()
	close(counted.open)
	written := writeUntil(b, s, writers, to.namespace, counted.reached)
	b.StopTimer()
	used := bench.ProcessorTime(b) - before
	heap, resident := peak()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.ReportMetric(heap, "peak-heap-B")
	b.ReportMetric(resident, "peak-rss-B")
	b.ReportMetric(float64(backlog), "backlog-B")
	if writers > 0 {
		b.ReportMetric(float64(written)/b.Elapsed().Seconds(), "written/s")
		abandon(b, s)
	} else if err := s.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	reportLost(b, to)
}

// limit measures how fast the destination takes what the sink would send it, with some requests in flight.
func limit(b *testing.B, to target, inFlight int) {
	requests := to.requests(b, prepare(b, to.namespace, b.N))
	before := bench.ProcessorTime(b)
	b.ResetTimer()
	err := sendAll(b.Context(), requests, inFlight)
	b.StopTimer()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((bench.ProcessorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	if err := auditing.Close(b.Context(), to.sink); err != nil {
		b.Fatal(err)
	}
	reportLost(b, to)
}

func sendAll(ctx context.Context, requests []request, inFlight int) error {
	var next atomic.Int64
	senders, ctx := errgroup.WithContext(ctx)
	for range inFlight {
		senders.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(requests)); i = next.Add(1) - 1 {
				if err := requests[i](ctx); err != nil {
					return err
				}
				requests[i] = nil // so that its memory is free
			}
			return nil
		})
	}
	return senders.Wait()
}

// reportLost fails only for what cannot be counted: while writers go on, more is stored than was measured.
func reportLost(b *testing.B, to target) {
	stored, err := to.stored(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(max(b.N-stored, 0)), "lost")
}
