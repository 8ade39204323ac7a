package lokiclient_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang/snappy"
	client "github.com/grafana/loki-client-go/loki"
	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/loki/lokiclient"
)

// BenchmarkPush writes into one real Loki: with sinks/loki, each event confirmed;
// with loki-client-go as it is, unconfirmed, until its Stop has delivered what
// its Handle took; and with that client behind this package. "bare POST" sends
// requests of one event that were encoded before.
//
// CPU is that of this process, Loki being another one.
func BenchmarkPush(b *testing.B) {
	l := testenv.NewLoki(b, testenv.LokiOptions{})
	b.Run("writers=1/bare POST", func(b *testing.B) { benchmarkPOST(b, l) })
	for _, writers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("writers=%d/confirmed by sinks|loki", writers), func(b *testing.B) {
			sink, err := loki.New(l.URL, loki.Options{Component: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			benchmarkSink(b, writers, sink)
		})
		b.Run(fmt.Sprintf("writers=%d/loki-client-go", writers), func(b *testing.B) { benchmarkClient(b, writers, l) })
		b.Run(fmt.Sprintf("writers=%d/lokiclient", writers), func(b *testing.B) {
			sink, err := lokiclient.New(l.URL, lokiclient.Options{Component: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			benchmarkSink(b, writers, sink)
		})
	}
}

// measured runs write b.N times, spread over writers, and then finish.
func measured(b *testing.B, writers int, write func() error, finish func() error) {
	b.Helper()
	b.ReportAllocs()
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	cpu := cpuTime(b)
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for done.Add(1) <= int64(b.N) {
				if err := write(); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	wg.Wait()
	err := finish()
	b.StopTimer()
	if first := failed.Load(); first != nil {
		err = *first
	}
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpuTime(b)-cpu).Nanoseconds())/1e3/float64(b.N), "cpu-µs/event")
}

// cpuTime is what this process has used, as user and in the system.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func benchmarkSink(b *testing.B, writers int, sink auditing.Sink) {
	ctx, ns := b.Context(), namespace()
	measured(b, writers,
		func() error { return sink.Write(ctx, event(ns, time.Time{})) },
		func() error { return auditing.Close(ctx, sink) })
}

func benchmarkClient(b *testing.B, writers int, l *testenv.Loki) {
	config, err := client.NewDefaultConfig(l.URL + "/loki/api/v1/push")
	if err != nil {
		b.Fatal(err)
	}
	c, err := client.New(config)
	if err != nil {
		b.Fatal(err)
	}
	before := sentEntries(b)
	labels := model.LabelSet{"service_name": "audit", "component": "bench", "namespace": model.LabelValue(namespace())}
	measured(b, writers,
		func() error {
			ae := event("team-a", time.Time{})
			line, err := json.Marshal(ae)
			if err != nil {
				return err
			}
			return c.Handle(labels, auditing.EventTime(ae), string(line))
		},
		func() error { c.Stop(); return nil })
	if sent := sentEntries(b) - before; sent != b.N {
		b.Fatalf("the client sent %d of %d entries", sent, b.N)
	}
}

// sentEntries is how many entries the clients of this process say they sent.
func sentEntries(b *testing.B) (sent int) {
	b.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "promtail_sent_entries_total" {
			for _, m := range family.GetMetric() {
				sent += int(m.GetCounter().GetValue())
			}
		}
	}
	return sent
}

func benchmarkPOST(b *testing.B, l *testenv.Loki) {
	ns := namespace()
	bodies := make([][]byte, b.N)
	for i := range bodies {
		bodies[i] = encoded(b, ns)
	}
	next := 0
	measured(b, 1, func() error {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, l.URL+"/loki/api/v1/push", bytes.NewReader(bodies[next]))
		if err != nil {
			return err
		}
		next++
		req.Header.Set("Content-Type", "application/x-protobuf")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusNoContent {
			return fmt.Errorf("%s: %w", resp.Status, err)
		}
		return nil
	}, func() error { return nil })
}

// encoded is a push of one event, as sinks/loki makes it.
func encoded(b *testing.B, ns string) []byte {
	b.Helper()
	ae := event(ns, time.Time{})
	ae.Name = ae.GenerateName + "01k9q3v5x2m8t4w6y0z1a2b3c4"
	ae.Labels["paddock.dev/component"] = "bench"
	ae.Annotations = map[string]string{"paddock.dev/timestamp": auditing.EventTime(ae).Format(time.RFC3339Nano)}
	line, err := json.Marshal(ae)
	if err != nil {
		b.Fatal(err)
	}
	request := push.PushRequest{Streams: []push.Stream{{
		Labels: fmt.Sprintf(`{component="bench", namespace=%q, service_name="audit"}`, ns),
		Entries: []push.Entry{{Timestamp: auditing.EventTime(ae), Line: string(line), StructuredMetadata: push.LabelsAdapter{
			{Name: "kind", Value: "egress-block"},
			{Name: "decision", Value: "denied"},
			{Name: "event", Value: ae.Name},
			{Name: "run", Value: "run-1"},
		}}},
	}}}
	body, err := request.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	return snappy.Encode(nil, body)
}
