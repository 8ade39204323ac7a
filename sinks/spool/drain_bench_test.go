package spool_test

import (
	"context"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/spool"
)

// BenchmarkDrain measures how fast a backlog of up to 100,000 events is delivered to a
// destination that takes 600 µs for a request, to VictoriaLogs and to the API server: in
// batches, and one event at a time.
func BenchmarkDrain(b *testing.B) {
	for _, to := range []struct {
		name            string
		batched, single int // events
		open            func(*testing.B) (next auditing.Sink, namespace string)
	}{
		{"slow", 100_000, 5_000, func(*testing.B) (auditing.Sink, string) {
			return driver.New(taking{batch: 1024, took: 600 * time.Microsecond}), "team-a"
		}},
		{"victorialogs", 100_000, 5_000, func(b *testing.B) (auditing.Sink, string) {
			b.Helper()
			lake, err := loki.New(testenv.SharedVictoriaLogs(b).URL, loki.Options{Server: loki.ServerVictoriaLogs})
			if err != nil {
				b.Fatal(err)
			}
			return lake, "team-a"
		}},
		{"kube", 10_000, 1_000, func(b *testing.B) (auditing.Sink, string) {
			b.Helper()
			k := testenv.SharedKube(b)
			c, err := kubeClient(k.Config)
			if err != nil {
				b.Fatal(err)
			}
			return kube.Sink{Client: c}, k.Namespace(b)
		}},
	} {
		b.Run("next="+to.name+"/batches", func(b *testing.B) {
			next, ns := to.open(b)
			benchDrain(b, next, ns, to.batched)
		})
		b.Run("next="+to.name+"/single", func(b *testing.B) {
			next, ns := to.open(b)
			benchDrain(b, driver.New(single{driver.Of(next)}), ns, to.single)
		})
	}
}

// single is given one event at a time.
type single struct{ driver.Driver }

func (s single) Info() driver.Info {
	info := s.Driver.Info()
	info.Batch = 1
	return info
}

func benchDrain(b *testing.B, next auditing.Sink, namespace string, n int) {
	b.Helper()
	for range b.N {
		b.StopTimer()
		dir := filled(b, namespace, n)
		s, err := spool.New(dir, driver.New(keepOpen{driver.Of(next)}), spool.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		drain(b, s)
		b.StopTimer()
		if sum, err := spool.Stats(dir); err != nil || sum.Depth+int64(sum.DeadLetters) > 0 {
			b.Fatalf("left in the spool: %+v (%v)", sum, err)
		}
		b.StartTimer()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "events/s")
	if err := auditing.Close(context.Background(), next); err != nil {
		b.Fatal(err)
	}
}

// filled returns a directory in which n events wait.
func filled(b *testing.B, namespace string, n int) string {
	b.Helper()
	dir := b.TempDir()
	away := &destination{batch: 1}
	away.leave()
	s, err := spool.New(dir, away.sink(), spool.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer abandon(s)
	to := driver.Of(s)
	for left := n; left > 0; left -= to.Info().Batch {
		var events []*driver.Event
		for range min(left, to.Info().Batch) {
			ae := benchEvent()
			ae.Namespace = namespace
			e, err := driver.Prepare(ae, "")
			if err != nil {
				b.Fatal(err)
			}
			events = append(events, e)
		}
		if errs := to.Store(b.Context(), events); errs != nil {
			b.Fatal(errs)
		}
	}
	return dir
}
