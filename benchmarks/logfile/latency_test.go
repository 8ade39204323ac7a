package logfile_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/sinks/log"
)

// BenchmarkLatency measures how long each of many writers waits for its line. No report asks for it: docs/performance.md
// has its numbers.
func BenchmarkLatency(b *testing.B) {
	event := bench.Events()[0]
	for _, writers := range []int{1, 64, 1024} {
		bench.Compare(b, fmt.Sprintf("writers=%d/", writers), writers, []bench.Peer{
			{Name: "ours", Open: timed(func(path string, writers int) (bench.Writer, error) {
				return openOursForMany(path, writers, event, fileOptions)
			})},
			{Name: "ours-fsync", Open: timed(func(path string, writers int) (bench.Writer, error) {
				opts := fileOptions
				opts.Fsync = true
				return openOursForMany(path, writers, event, opts)
			})},
			{Name: "zap-core", Open: timed(func(path string, _ int) (bench.Writer, error) { return openZapCore(path, event) })},
		})
	}
}

// openOursForMany gives each writer an event of its own, which is new each time.
func openOursForMany(path string, writers int, event bench.Event, opts log.FileOptions) (bench.Writer, error) {
	sink, err := log.NewFile(path, opts)
	if err != nil {
		return bench.Writer{}, err
	}
	ctx, end := request()
	events := make([]*v1alpha1.AuditEvent, writers)
	for i := range events {
		events[i] = event.New()
	}
	return bench.Writer{
		Write:  func(w int) error { bench.Renew(events[w]); return sink.Write(ctx, events[w]) },
		Finish: func() error { return sink.Close(ctx) },
		Close:  end,
	}, nil
}

// timed has the writes of a peer measured one by one, and reports their percentiles in microseconds.
func timed(open func(path string, writers int) (bench.Writer, error)) func(*testing.B, int) bench.Writer {
	return func(b *testing.B, writers int) bench.Writer {
		path := filepath.Join(bench.Dir(b), fileName)
		w, err := open(path, writers)
		if err != nil {
			b.Fatal(err)
		}
		took := make([][]time.Duration, writers)
		write := w.Write
		w.Write = func(writer int) error {
			start := time.Now()
			err := write(writer)
			took[writer] = append(took[writer], time.Since(start))
			return err
		}
		w.Stored = func() (int, error) { return bench.Lines(path) }
		w.Metrics = func(int) map[string]float64 {
			all := slices.Concat(took...)
			slices.Sort(all)
			at := func(share float64) float64 {
				return float64(all[int(share*float64(len(all)-1))].Nanoseconds()) / 1e3
			}
			return map[string]float64{"p50-us": at(.5), "p99-us": at(.99), "p99.9-us": at(.999)}
		}
		return w
	}
}
