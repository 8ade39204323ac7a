package flood_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/flood"
)

const window = 500 * time.Millisecond

func newSink(tb testing.TB, next auditing.Sink, opts flood.Options) *flood.Sink {
	tb.Helper()
	sink, err := flood.New(next, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return sink
}

func blocked(run, host string) *v1alpha1.AuditEvent {
	return auditing.NewEgressBlock(auditing.EgressInput{
		Namespace: "team-a", RunName: run, Host: host, Port: 443, MatchedPolicy: "deny-all", Reason: "not on the list",
	})
}

// burst writes all events at once and returns their errors, in their order.
func burst(ctx context.Context, s auditing.Sink, events ...*v1alpha1.AuditEvent) []error {
	errs := make([]error, len(events))
	var wg sync.WaitGroup
	for i, ae := range events {
		wg.Go(func() { errs[i] = s.Write(ctx, ae) })
	}
	wg.Wait()
	return errs
}

func must(tb testing.TB, errs ...error) {
	tb.Helper()
	if err := errors.Join(errs...); err != nil {
		tb.Fatal(err)
	}
}

// counted adds up the counts of events.
func counted(events []v1alpha1.AuditEvent) (sum int64) {
	for i := range events {
		sum += int64(max(events[i].Spec.Count, 1))
	}
	return sum
}

func TestFirstEventPassesAndTheRestBecomeOneSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{Component: "proxy"})
		begin := time.Now()
		must(t, sink.Write(t.Context(), blocked("run-7", "first.example")))
		if took := time.Since(begin); took != 0 {
			t.Errorf("the first event took %v", took)
		}
		var first, last time.Time
		var wg sync.WaitGroup
		for i := range 37 {
			time.Sleep(10 * time.Millisecond)
			ae := blocked("run-7", fmt.Sprintf("host-%d.example", i/8))
			last = auditing.EventTime(ae)
			if first.IsZero() {
				first = last
			}
			wg.Go(func() {
				if err := sink.Write(t.Context(), ae); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(begin); took != window {
			t.Errorf("the summary came after %v, want %v", took, window)
		}
		events := next.Events()
		if len(events) != 2 || counted(events) != 38 {
			t.Fatalf("%d events that count %d, want 2 that count 38", len(events), counted(events))
		}
		s := events[1].Spec
		if s.Kind != v1alpha1.AuditKindEgressBlockSummary || s.Decision != v1alpha1.AuditDecisionDenied || s.Count != 37 ||
			s.RunRef.Name != "run-7" || s.MatchedPolicy.Name != "deny-all" || events[1].Namespace != "team-a" ||
			events[1].Labels[v1alpha1.LabelComponent] != "proxy" {
			t.Errorf("the summary is %+v", s)
		}
		if s.Reason != "37 events collapsed: not on the list" {
			t.Errorf("its reason is %q", s.Reason)
		}
		if len(s.SampleDestinations) != 3 || s.SampleDestinations[0].Host != "host-0.example" || s.SampleDestinations[2].Host != "host-2.example" ||
			s.Detail["differentDestinations"] != "5" {
			t.Errorf("its samples are %v, details %v", s.SampleDestinations, s.Detail)
		}
		if !s.WindowStart.Time.Equal(first) || !s.WindowEnd.Time.Equal(last) || s.Detail["windowStart"] != first.Format(time.RFC3339Nano) {
			t.Errorf("its window is %v to %v (%v), want %v to %v", s.WindowStart, s.WindowEnd, s.Detail, first, last)
		}
	})
}

func TestEventsOfDifferentKeysAreNotCollapsedWithEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		var events []*v1alpha1.AuditEvent
		for _, change := range []func(*v1alpha1.AuditEvent){
			func(*v1alpha1.AuditEvent) {},
			func(ae *v1alpha1.AuditEvent) { ae.Namespace = "team-b" },
			func(ae *v1alpha1.AuditEvent) { ae.Spec.RunRef.Name = "run-8" },
			func(ae *v1alpha1.AuditEvent) { ae.Spec.RunRef = nil },
			func(ae *v1alpha1.AuditEvent) { ae.Spec.Kind = "tea-refused" },
			func(ae *v1alpha1.AuditEvent) { ae.Spec.Decision = v1alpha1.AuditDecisionWarned },
			func(ae *v1alpha1.AuditEvent) { ae.Labels[v1alpha1.LabelComponent] = "other" },
		} {
			for range 10 {
				ae := blocked("run-7", "evil.example")
				change(ae)
				events = append(events, ae)
			}
		}
		must(t, burst(t.Context(), sink, events...)...)
		stored := next.Events()
		if len(stored) != 14 || counted(stored) != 70 {
			t.Fatalf("%d events that count %d, want 14 that count 70", len(stored), counted(stored))
		}
		for _, ae := range stored {
			if ae.Spec.Kind == "tea-refused" && ae.Spec.Count > 0 && !strings.HasPrefix(ae.Spec.Reason, "9 events collapsed") {
				t.Errorf("the summary of a kind of its own says %q", ae.Spec.Reason)
			}
		}
	})
}

func TestKindsThatStandAloneAreNeverCollapsedNorLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{Rate: 1, Burst: 1})
		var events []*v1alpha1.AuditEvent
		for range 50 {
			events = append(events,
				auditing.NewCredentialIssued(auditing.CredentialIssuedInput{Namespace: "team-a", RunName: "run-7"}),
				auditing.NewPolicyApplied(auditing.AdmissionInput{Namespace: "team-a", RunName: "run-7"}),
				auditing.NewPolicyRejected(auditing.AdmissionInput{Namespace: "team-a", RunName: "run-7"}))
		}
		begin := time.Now()
		must(t, burst(t.Context(), sink, events...)...)
		if n, took := len(next.Events()), time.Since(begin); n != 150 || took != 0 {
			t.Errorf("%d events in %v, want 150 at once", n, took)
		}
	})
}

func TestAnEventThatWaitedAloneGoesAsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		events := []*v1alpha1.AuditEvent{blocked("run-7", "a.example"), blocked("run-7", "b.example")}
		must(t, burst(t.Context(), sink, events...)...)
		must(t, burst(t.Context(), sink, events...)...)
		stored := next.Events()
		if len(stored) != 2 || stored[1].Spec.Kind != v1alpha1.AuditKindEgressBlock || counted(stored) != 2 {
			t.Errorf("stored %d events: %+v", len(stored), stored)
		}
	})
}

func TestCountsOfSummariesAreAddedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		var events []*v1alpha1.AuditEvent
		for _, count := range []int32{1, 5, 0, 1 << 30, 1<<31 - 1, 1 << 30} {
			ae := blocked("run-7", "evil.example")
			ae.Spec.Count = count
			events = append(events, ae)
			go func() {
				if err := sink.Write(t.Context(), ae); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait() // one after the other
		}
		time.Sleep(2 * window)
		synctest.Wait()
		var want int64
		for _, ae := range events {
			want += int64(max(ae.Spec.Count, 1))
		}
		if got := counted(next.Events()); got != want {
			t.Errorf("the counts add up to %d, want %d", got, want)
		}
		for _, ae := range next.Events() {
			if ae.Spec.Count < 0 {
				t.Errorf("a count overflowed: %d", ae.Spec.Count)
			}
		}
	})
}

func TestAFailingDestinationFailsEveryWaitingWriterWithItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		must(t, sink.Write(t.Context(), blocked("run-7", "evil.example")))
		next.FailWith(driver.RetryAfter(syscall.ECONNREFUSED, 3*time.Second))
		var events []*v1alpha1.AuditEvent
		for range 64 {
			events = append(events, blocked("run-7", "evil.example"))
		}
		for i, err := range burst(t.Context(), sink, events...) {
			var we *auditing.WriteError
			if !errors.As(err, &we) || we.Sink != "flood" || we.Class != auditing.ClassTransient || we.RetryAfter != 3*time.Second ||
				!strings.Contains(we.Event, events[i].Name) || !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatalf("writer %d got %v", i, err)
			}
			if text := err.Error(); !strings.Contains(text, "as one of 64 events in the summary ae-egress-") || strings.Count(text, "flood") != 1 {
				t.Fatalf("the error reads %q", text)
			}
		}
	})
}

func TestADestinationThatPanicsOrNeverReturnsFailsItsWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{Timeout: time.Second})
		must(t, sink.Write(t.Context(), blocked("run-7", "evil.example")))
		next.PanicWith("broken")
		for _, err := range burst(t.Context(), sink, blocked("run-7", "a"), blocked("run-7", "b")) {
			if class, _ := driver.ClassOf(err); class != auditing.ClassPermanent || !strings.Contains(err.Error(), "broken") {
				t.Errorf("after a panic: %v", err)
			}
		}
		next.Reset()
		must(t, sink.Write(t.Context(), blocked("run-7", "evil.example")))
		defer next.Hang()()
		for _, err := range burst(t.Context(), sink, blocked("run-7", "a"), blocked("run-7", "b")) {
			if class, _ := driver.ClassOf(err); class != auditing.ClassTimeout || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("after Options.Timeout: %v", err)
			}
		}
	})
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	next := &sinktest.Recorder{}
	if _, err := flood.New(nil, flood.Options{}); err == nil {
		t.Error("a nil sink is taken")
	}
	if _, err := flood.New(next, flood.Options{Window: -1}); err == nil {
		t.Error("a window below 0 is taken")
	}
	for _, rate := range []float64{math.NaN(), math.Inf(1)} {
		if _, err := flood.New(next, flood.Options{Rate: rate}); err == nil || !strings.HasPrefix(err.Error(), "flood: Options.Rate: ") {
			t.Errorf("a rate of %v: %v", rate, err)
		}
	}
	sink := newSink(t, next, flood.Options{})
	if auditing.Chain(sink) != "flood(recorder)" || auditing.LevelOf(sink) != auditing.LevelAccepted {
		t.Errorf("%s at %s", auditing.Chain(sink), auditing.LevelOf(sink))
	}
	must(t, sink.Close(t.Context()))
}
