package retry_test

import (
	"context"
	"maps"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/retry"
)

// attemptsOf reads the counters of the sink of a name, by result.
func attemptsOf(tb testing.TB, reg prometheus.Gatherer, name string) map[string]float64 {
	tb.Helper()
	families, err := reg.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if f.GetName() == "paddock_audit_retry_attempts_total" && labels["retry"] == name {
				found[labels["result"]] = m.GetCounter().GetValue()
			}
		}
	}
	return found
}

func TestEveryAttemptCountsOnceByWhatCameOfIt(t *testing.T) {
	cancelled := func(context.Context) error { return context.Canceled }
	for name, c := range map[string]struct {
		next    *script
		opts    retry.Options
		timeout time.Duration
		want    map[string]float64
	}{
		"stored at once":        {answers(nil), retry.Options{}, time.Hour, map[string]float64{"ok": 1}},
		"stored in the end":     {answers(syscall.EIO, syscall.EIO, nil), retry.Options{}, time.Hour, map[string]float64{"ok": 1, "again": 2}},
		"refused":               {answers(syscall.EIO, driver.Permanent(syscall.EPERM)), retry.Options{}, time.Hour, map[string]float64{"refused": 1, "again": 1}},
		"too many attempts":     {answers(syscall.EIO), retry.Options{MaxAttempts: 4}, time.Hour, map[string]float64{"gave_up": 1, "again": 3}},
		"no time for a pause":   {answers(driver.RetryAfter(syscall.EIO, time.Minute)), retry.Options{}, time.Hour, map[string]float64{"gave_up": 1}},
		"no time for an answer": {&script{answers: []func(context.Context) error{silence}}, retry.Options{}, time.Second, map[string]float64{"gave_up": 1}},
		"cancelled":             {&script{answers: []func(context.Context) error{cancelled}}, retry.Options{MaxAttempts: 1}, time.Hour, map[string]float64{"gave_up": 1}},
		"panic":                 {answers(syscall.EIO), retry.Options{MaxAttempts: 2}, time.Hour, map[string]float64{"refused": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var next auditing.Sink = c.next
				if name == "panic" {
					next = panicking{}
				}
				reg := prometheus.NewRegistry()
				c.opts.Registerer, c.opts.Name = reg, "broker"
				sink := newSink(t, next, c.opts)
				ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
				defer cancel()
				_ = sink.Write(ctx, event())
				want := map[string]float64{"ok": 0, "again": 0, "refused": 0, "gave_up": 0}
				maps.Copy(want, c.want)
				if got := attemptsOf(t, reg, "broker"); !maps.Equal(got, want) {
					t.Errorf("counted %v, want %v", got, want)
				}
			})
		})
	}
}

func TestMetricsLiveFromTheFirstToTheLastSinkOfTheirName(t *testing.T) {
	reg := prometheus.NewRegistry()
	opts := retry.Options{Registerer: reg}
	before := newSink(t, answers(nil), opts)
	name := auditing.Chain(answers())
	if n := len(attemptsOf(t, reg, name)); n != 4 {
		t.Fatalf("%d series at the start, want 4", n)
	}
	after := newSink(t, answers(nil), opts) // as when a configuration is read again
	for _, sink := range []*retry.Sink{before, after, after} {
		if err := sink.Write(t.Context(), event()); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // Close may be called again
		if err := before.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := attemptsOf(t, reg, name)["ok"]; got != 3 {
		t.Errorf("%v attempts are counted of both sinks, want 3", got)
	}
	if err := after.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := attemptsOf(t, reg, name); len(got) != 0 {
		t.Errorf("after Close there are %v", got)
	}
	newSink(t, answers(nil), opts)
	if got := attemptsOf(t, reg, name); len(got) != 4 || got["ok"] != 0 {
		t.Errorf("a later sink of the name has %v", got)
	}
}

func TestARegistryThatDoesNotTakeTheMetricsIsAnErrorOfNew(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "paddock_audit_retry_attempts_total", Help: "another",
	}, []string{"of", "others"}))
	_, err := retry.New(answers(nil), retry.Options{Registerer: reg, Name: "broker"})
	if err == nil || !strings.HasPrefix(err.Error(), `retry: registering the metrics of "broker": `) {
		t.Errorf("New: %v", err)
	}
}

// panicking is a sink that does not keep the contract.
type panicking struct{}

func (panicking) Write(context.Context, *v1alpha1.AuditEvent) error { panic("broken") }
