package loki_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/sinks/loki"
)

// BenchmarkConfirmed writes events to a real Loki and waits for its answer.
// cpu-us/event is the processor time of this process, Loki's not counted.
func BenchmarkConfirmed(b *testing.B) {
	for _, writers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			l := permissive.get(b)
			sink := open(b, l.URL, loki.Options{})
			ns := namespace()
			if err := sink.Write(b.Context(), event(ns, "first")); err != nil {
				b.Fatal(err)
			}
			measure(b, writers, func() error { return sink.Write(context.Background(), event(ns, "not on the list")) })
		})
	}
}

// BenchmarkBarePOST sends the bodies that Write makes for a lone writer, with
// net/http alone: what Confirmed with one writer is measured by.
func BenchmarkBarePOST(b *testing.B) {
	l := permissive.get(b)
	var bodies [][]byte
	recording := fake(b, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, body)
		w.WriteHeader(http.StatusNoContent)
	})
	sink := open(b, recording, loki.Options{ProveEvery: -1})
	ns := namespace()
	for range b.N {
		if err := sink.Write(b.Context(), event(ns, "not on the list")); err != nil {
			b.Fatal(err)
		}
	}
	next := 0
	measure(b, 1, func() error {
		resp, err := http.Post(l.URL+"/loki/api/v1/push", "application/x-protobuf", bytes.NewReader(bodies[next]))
		if err != nil {
			return err
		}
		next++
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			return fmt.Errorf("push: %s", resp.Status)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	})
}

// measure calls write b.N times from some goroutines.
func measure(b *testing.B, writers int, write func() error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	before := processorTime(b)
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := write(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-us/event")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
