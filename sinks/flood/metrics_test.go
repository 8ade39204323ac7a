package flood_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/flood"
)

// metricsOf reads the metrics of the sink of a name: the last part of each name,
// with its reason where it has one.
func metricsOf(tb testing.TB, reg prometheus.Gatherer, name string) map[string]float64 {
	tb.Helper()
	families, err := reg.Gather()
	must(tb, err)
	found := map[string]float64{}
	for _, f := range families {
		short, ours := strings.CutPrefix(f.GetName(), "paddock_audit_flood_")
		for _, m := range f.GetMetric() {
			key, of := short, ""
			for _, l := range m.GetLabel() {
				switch l.GetName() {
				case "flood":
					of = l.GetValue()
				case "reason":
					key += " " + l.GetValue()
				}
			}
			if ours && of == name {
				found[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return found
}

func metricsWith(changed map[string]float64) map[string]float64 {
	all := map[string]float64{
		"collapsed_total": 0, "summaries_total": 0, "summary_failures_total": 0, "waiting": 0,
		"refused_total waiting": 0, "refused_total keys": 0, "refused_total rate": 0,
	}
	maps.Copy(all, changed)
	return all
}

func TestMetricsCountSummariesAndWaitingEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{Registerer: reg, Name: "proxy"})
		check := func(when string, changed map[string]float64) {
			t.Helper()
			if got, want := metricsOf(t, reg, "proxy"), metricsWith(changed); !maps.Equal(got, want) {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
		}
		check("at the start", nil)
		must(t, sink.Write(t.Context(), blocked("run-7", "evil.example")))
		check("after an event that went as itself", nil)
		next.FailNext(1, syscall.ECONNRESET)
		a, b, c := blocked("run-7", "a.example"), blocked("run-7", "b.example"), blocked("run-7", "c.example")
		failed := make(chan []error)
		go func() { failed <- burst(t.Context(), sink, a, b, c) }()
		synctest.Wait()
		check("while three wait", map[string]float64{"waiting": 3})
		<-failed
		check("after their summary failed", map[string]float64{"summary_failures_total": 1})
		must(t, sink.Write(t.Context(), a))
		check("after one of them sent it again", map[string]float64{"summary_failures_total": 1, "summaries_total": 1, "collapsed_total": 3})
		must(t, sink.Write(t.Context(), b))
		must(t, burst(t.Context(), sink, blocked("run-7", "d"), blocked("run-7", "e"))...)
		check("after one that waited alone", map[string]float64{"summary_failures_total": 1, "summaries_total": 1, "collapsed_total": 3})
		must(t, sink.Close(t.Context()))
		if got := metricsOf(t, reg, "proxy"); len(got) != 0 {
			t.Errorf("after Close there are %v", got)
		}
	})
}

func TestMetricsTellWhichBoundRefused(t *testing.T) {
	for reason, opts := range map[string]flood.Options{
		"waiting": {MaxWaiting: 10},
		"keys":    {MaxKeys: 10, Rate: 1000, Burst: 1},
		"rate":    {Rate: 0.5, Burst: 1},
	} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reg := prometheus.NewRegistry()
				opts.Registerer, opts.Name = reg, "proxy"
				sink := newSink(t, &sinktest.Recorder{}, opts)
				refused := 0.0
				var wg sync.WaitGroup
				var mu sync.Mutex
				for i := range 200 {
					wg.Go(func() {
						ae := blocked("run-7", "evil.example")
						ae.Namespace = fmt.Sprint("team-", i%40)
						if class, _ := driver.ClassOf(sink.Write(t.Context(), ae)); class == auditing.ClassFull {
							mu.Lock()
							refused++
							mu.Unlock()
						}
					})
				}
				wg.Wait()
				got := metricsOf(t, reg, "proxy")
				if got["refused_total "+reason] != refused || refused == 0 {
					t.Errorf("%v were refused, and counted is %v", refused, got)
				}
			})
		})
	}
}

// What passed as itself and what was collapsed make up what is at the
// destination, whatever failed and whoever gave up on the way.
func TestMetricsAddUpToWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		destination := &sinktest.Recorder{}
		next := slow{destination, func() time.Duration { return 0 }, func() bool { return rand.IntN(3) == 0 }}
		sink := newSink(t, next, flood.Options{Rate: 200, Burst: 50, Registerer: reg, Name: "proxy"})
		var wg sync.WaitGroup
		for i := range 20_000 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(50+rand.IntN(2000))*time.Millisecond)
				defer cancel()
				_ = sink.Write(ctx, ofRun(i%writers, i))
			})
			time.Sleep(100*time.Microsecond + 1)
		}
		wg.Wait()
		got := metricsOf(t, reg, "proxy")
		must(t, sink.Close(t.Context()))
		var alone, summaries, collapsed float64
		for _, ae := range destination.Events() {
			if ae.Spec.Count == 0 {
				alone++
			} else {
				summaries++
				collapsed += float64(ae.Spec.Count)
			}
		}
		if got["summaries_total"] != summaries || got["collapsed_total"] != collapsed || got["waiting"] != 0 || summaries == 0 || got["summary_failures_total"] == 0 {
			t.Errorf("counted %v, and %v summaries of %v events are stored, beside %v events", got, summaries, collapsed, alone)
		}
	})
}

func TestSinksOfOneNameCountTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		next := &sinktest.Recorder{}
		opts := flood.Options{Registerer: reg}
		before := newSink(t, next, opts)
		after := newSink(t, next, opts) // as when a configuration is read again
		name := auditing.Chain(next)
		for i, sink := range []*flood.Sink{before, after} {
			run := fmt.Sprint("run-", i)
			must(t, burst(t.Context(), sink, blocked(run, "a"), blocked(run, "b"), blocked(run, "c"))...)
		}
		must(t, before.Close(t.Context()), before.Close(t.Context()))
		if got := metricsOf(t, reg, name); got["summaries_total"] != 2 || got["collapsed_total"] != 4 {
			t.Errorf("counted of both: %v", got)
		}
		must(t, after.Close(t.Context()))
		if got := metricsOf(t, reg, name); len(got) != 0 {
			t.Errorf("after both are closed there are %v", got)
		}
	})
}

func TestARegistryThatDoesNotTakeTheMetricsIsAnErrorOfNew(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "paddock_audit_flood_waiting", Help: "another"}))
	_, err := flood.New(&sinktest.Recorder{}, flood.Options{Registerer: reg, Name: "proxy"})
	if err == nil || !strings.HasPrefix(err.Error(), `flood: registering the metrics of "proxy": `) {
		t.Errorf("New: %v", err)
	}
}
