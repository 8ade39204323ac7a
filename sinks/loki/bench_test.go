package loki_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/sinks/loki"
)

// BenchmarkConfirmed writes events to a real Loki and waits for its answer.
// cpu-us/event is the processor time of this process, without that of Loki.
func BenchmarkConfirmed(b *testing.B) {
	for _, writers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			l := permissive.get(b)
			reg := prometheus.NewRegistry()
			sink := open(b, l.URL, loki.Options{Registerer: reg})
			ns := namespace()
			if err := sink.Write(b.Context(), event(ns, "first")); err != nil {
				b.Fatal(err)
			}
			measure(b, writers, b.N, func(int) error { return sink.Write(context.Background(), event(ns, "not on the list")) })
			b.ReportMetric(float64(b.N)/pushes(b, reg), "events/push")
		})
	}
}

func pushes(b *testing.B, reg *prometheus.Registry) (n float64) {
	b.Helper()
	families, err := reg.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "paddock_audit_loki_pushes_total" {
			for _, m := range family.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// BenchmarkBarePOST sends the requests that Write makes with net/http alone, to compare
// Confirmed with it. A request has as many events as there are writers, which is the most
// that a push can have.
func BenchmarkBarePOST(b *testing.B) {
	for _, writers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("events=%d", writers), func(b *testing.B) {
			l := permissive.get(b)
			bodies := prepared(b, writers)
			measure(b, 1, len(bodies), func(i int) error {
				resp, err := http.Post(l.URL+"/loki/api/v1/push", "application/x-protobuf", bytes.NewReader(bodies[i]))
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				if resp.StatusCode != http.StatusNoContent {
					return fmt.Errorf("push: %s", resp.Status)
				}
				_, err = io.Copy(io.Discard, resp.Body)
				return err
			})
		})
	}
}

// prepared returns requests with b.N events. Each has as many events as possible,
// because none is answered before every writer waits.
func prepared(b *testing.B, writers int) (bodies [][]byte) {
	b.Helper()
	var left atomic.Int64 // events that are not written yet
	left.Store(int64(b.N))
	var sink *loki.Sink
	recording := fake(b, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.Error(err)
		}
		bodies = append(bodies, body)
		for loki.Writing(sink) < writers && left.Load() > 0 {
			runtime.Gosched()
		}
		w.WriteHeader(http.StatusNoContent)
	})
	sink = open(b, recording, loki.Options{ProveEvery: -1})
	ns := namespace()
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := sink.Write(b.Context(), event(ns, "not on the list")); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return bodies
}

// measure calls write with the numbers from 0 to calls-1, from several goroutines. It
// reports the costs for each of b.N events.
func measure(b *testing.B, writers, calls int, write func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	before := processorTime(b)
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(calls); i = next.Add(1) - 1 {
				if err := write(int(i)); err != nil {
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
