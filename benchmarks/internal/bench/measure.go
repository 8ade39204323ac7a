package bench

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// RoundEnv numbers the round that this process measures. Each round begins with another peer, so that none is always
// the first, or always behind the same one.
const RoundEnv = "AUDIT_BENCH_ROUND"

// Writer is an opened destination.
type Writer struct {
	// Write writes one event for the goroutine of this number.
	Write func(writer int) error
	// Finish, if any, returns when all that Write took is delivered. It counts as time.
	Finish func() error
	// Stored, if any, counts after the measurement what arrived. What is missing is reported as lost.
	Stored func() (int, error)
	// Close, if any, gives back what was opened. It is not measured.
	Close func() error
	// Metrics, if any, are reported beside the others, by unit.
	Metrics func(events int) map[string]float64
}

// Peer is a library that is compared. Open is called once for every measurement.
type Peer struct {
	Name string
	Open func(b *testing.B, writers int) Writer
}

// Compare measures every peer as a sub-benchmark with the given prefix of its name.
func Compare(b *testing.B, prefix string, writers int, peers []Peer) {
	first := Round() % len(peers)
	for i := range peers {
		peer := peers[(first+i)%len(peers)]
		b.Run(fmt.Sprintf("%speer=%s", prefix, peer.Name), func(b *testing.B) {
			Measure(b, writers, peer.Open(b, writers))
		})
	}
}

// Round is the number of the round. It is 0 when nobody numbers the rounds, as for go test by itself.
func Round() int {
	n, _ := strconv.Atoi(os.Getenv(RoundEnv))
	return n
}

// Measure has w written to b.N times by some goroutines and reports, beside what Go reports: events a second, the
// processor time of this process an event, and how many events were lost.
func Measure(b *testing.B, writers int, w Writer) {
	b.Helper()
	b.ReportAllocs()
	before := ProcessorTime(b)
	b.ResetTimer()
	err := write(b.N, writers, w.Write)
	if err == nil && w.Finish != nil {
		err = w.Finish()
	}
	b.StopTimer()
	used := ProcessorTime(b) - before
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/op")
	if w.Metrics != nil {
		for unit, value := range w.Metrics(b.N) {
			b.ReportMetric(value, unit)
		}
	}
	if w.Stored != nil {
		stored, err := w.Stored()
		if err != nil {
			b.Fatal(err)
		}
		if stored > b.N {
			b.Fatalf("%d events stored, %d written", stored, b.N)
		}
		b.ReportMetric(float64(b.N-stored), "lost")
	}
	if w.Close != nil {
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func write(events, writers int, one func(int) error) error {
	if writers == 1 {
		for range events {
			if err := one(0); err != nil {
				return err
			}
		}
		return nil
	}
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for next.Add(1) <= int64(events) && failed.Load() == nil {
				if err := one(w); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// ProcessorTime is what this process has used, in its own code and in the system's. Servers are other processes.
func ProcessorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
