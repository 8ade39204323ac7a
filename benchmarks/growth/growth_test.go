// Package growth_test measures whether an event costs more the more there are, of events or of writers.
package growth_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/spool"
)

// BenchmarkEvents writes as many events as -benchtime Nx says, through a log by one writer, and through a spool that
// delivers by 1,024. heap-B is what the sink holds on the heap at the end.
func BenchmarkEvents(b *testing.B) {
	b.Run("sink=log", func(b *testing.B) { grow(b, openLog, 1) })
	b.Run("sink=spool", func(b *testing.B) { grow(b, openSpool, 1024) })
}

// BenchmarkWriters writes from ever more goroutines.
func BenchmarkWriters(b *testing.B) {
	for _, writers := range []int{1, 4, 16, 64, 256, 1024, 4096} {
		b.Run(fmt.Sprintf("sink=log/writers=%d", writers), func(b *testing.B) { grow(b, openLog, writers) })
		b.Run(fmt.Sprintf("sink=spool/writers=%d", writers), func(b *testing.B) { grow(b, openSpool, writers) })
	}
}

// openLog rotates at 100 MiB and keeps one backup, so that ten million events do not fill the disk.
func openLog(dir string) (auditing.Sink, error) {
	return log.NewFile(filepath.Join(dir, "audit.log"),
		log.FileOptions{Options: log.Options{Component: bench.Component}, MaxBackups: 1})
}

// openSpool delivers to a destination that takes everything at once.
func openSpool(dir string) (auditing.Sink, error) {
	return spool.New(dir, auditing.NoopSink{}, spool.Options{Component: bench.Component, WhenFull: spool.BlockWhenFull})
}

func grow(b *testing.B, open func(dir string) (auditing.Sink, error), writers int) {
	events := make([]*v1alpha1.AuditEvent, writers)
	for i := range events {
		events[i] = bench.NewCredential()
	}
	before := heap()
	sink, err := open(bench.Dir(b))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	bench.Measure(b, writers, bench.Writer{
		Write: func(w int) error {
			bench.Renew(events[w])
			return sink.Write(ctx, events[w])
		},
		Metrics: func(int) map[string]float64 { return map[string]float64{"heap-B": math.Max(heap()-before, 0)} },
		Close:   func() error { return auditing.Close(ctx, sink) },
	})
}

// heap is what is in use after two collections: the first moves pools to where the second frees them.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
