package flood_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/flood"
)

// batches is a destination that keeps what each Store was given.
type batches struct {
	driver.Base
	info    driver.Info
	refuses func(*driver.Event) bool
	down    error // what Check answers

	mu  sync.Mutex
	got [][]*driver.Event
}

func (b *batches) Info() driver.Info           { return b.info }
func (b *batches) Check(context.Context) error { return b.down }

func (b *batches) Store(ctx context.Context, events []*driver.Event) []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, slices.Clone(events))
	return driver.Each(ctx, events, func(_ context.Context, e *driver.Event) error {
		if b.refuses != nil && b.refuses(e) {
			return syscall.ECONNRESET
		}
		return nil
	})
}

func prepared(tb testing.TB, component string, events ...*v1alpha1.AuditEvent) []*driver.Event {
	tb.Helper()
	all := make([]*driver.Event, len(events))
	for i, ae := range events {
		e, err := driver.Prepare(ae, component)
		must(tb, err)
		all[i] = e
	}
	return all
}

func issued() *v1alpha1.AuditEvent {
	return auditing.NewCredentialIssued(auditing.CredentialIssuedInput{Namespace: "team-a", RunName: "run-7"})
}

func TestABatchPassesAsOneAndTheRestAsSummaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &batches{info: driver.Info{Name: "batches"}}
		sink := newSink(t, driver.New(next), flood.Options{})
		events := prepared(t, "",
			blocked("run-7", "a"), issued(), blocked("run-7", "b"), blocked("run-8", "a"), blocked("run-7", "c"), issued(), blocked("run-8", "b"))
		events = append(events, events[0])[:len(events)] // with room behind it
		given := slices.Clone(events)
		begin := time.Now()
		must(t, driver.Of(sink).Store(t.Context(), events)...)
		if took := time.Since(begin); took != window {
			t.Errorf("it took %v, want %v", took, window)
		}
		if !slices.Equal(events, given) || events[:len(events)+1][len(events)] != given[0] {
			t.Error("the slice of events was changed, or appended to")
		}
		if want := []*driver.Event{given[0], given[1], given[3], given[5]}; len(next.got) != 3 || !slices.Equal(next.got[0], want) {
			t.Fatalf("the destination got %d batches, the first of %d events, want 3, the first of 4", len(next.got), len(next.got[0]))
		}
		kinds := []string{}
		for _, batch := range next.got[1:] {
			kinds = append(kinds, fmt.Sprint(batch[0].Run(), " ", batch[0].Kind()))
		}
		slices.Sort(kinds)
		if want := []string{"run-7 egress-block-summary", "run-8 egress-block"}; !slices.Equal(kinds, want) {
			t.Errorf("what was collapsed went as %q, want %q", kinds, want)
		}
		must(t, driver.Of(sink).Store(t.Context(), events)...) // again
		if last := next.got[len(next.got)-1]; len(next.got) != 4 || len(last) != 5 {
			t.Errorf("repeated, %d events went in %d batches, want the 5 that went as themselves, in one", len(last), len(next.got)-3)
		}
	})
}

func TestEachEventOfABatchHasItsOwnOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &batches{info: driver.Info{Name: "batches"}, refuses: func(e *driver.Event) bool {
			return e.Run() == "run-refused" || e.Kind() == v1alpha1.AuditKindEgressBlockSummary && e.Run() == "run-8"
		}}
		sink := newSink(t, driver.New(next), flood.Options{MaxWaiting: 5})
		events := prepared(t, "",
			blocked("run-7", "a"), blocked("run-8", "a"), // both pass
			blocked("run-8", "b"), blocked("run-8", "c"), // a summary that fails
			blocked("run-refused", "a"),                                         // fails as itself
			blocked("run-7", "b"), blocked("run-7", "c"), blocked("run-7", "d"), // a summary
			blocked("run-7", "e"), // without room
			issued())
		errs := driver.Of(sink).Store(t.Context(), events)
		want := []auditing.Class{"", "", "transient", "transient", "transient", "", "", "", "full", ""}
		for i, err := range errs {
			var class auditing.Class
			var we *auditing.WriteError
			if errors.As(err, &we) {
				class = we.Class
				if we.Sink != "flood" || we.Event != events[i].Ref() {
					t.Errorf("the error of event %d is of %s, %s", i, we.Sink, we.Event)
				}
			}
			if class != want[i] {
				t.Errorf("event %d: %v, want class %q", i, err, want[i])
			}
		}
		if len(errs) != len(want) {
			t.Errorf("%d outcomes, want %d", len(errs), len(want))
		}
	})
}

func TestTheWaitsOfABatchEndWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		events := prepared(t, "", blocked("run-7", "a"), blocked("run-7", "b"), blocked("run-7", "c"))
		ctx, cancel := context.WithTimeout(t.Context(), window/2)
		defer cancel()
		errs := driver.Of(sink).Store(ctx, events)
		if len(errs) != 3 || errs[0] != nil {
			t.Fatalf("the outcomes are %v", errs)
		}
		for _, err := range errs[1:] {
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "taken out of a summary") {
				t.Errorf("got %v", err)
			}
		}
		clear(events) // whoever gave them uses the slice again
		must(t, sink.Close(t.Context()))
		if n := counted(next.Events()); n != 1 {
			t.Errorf("the counts add up to %d, want 1", n)
		}
	})
}

// What comes out of a spool may be of another component than what is written now.
func TestASummaryHasTheComponentOfItsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{Component: "proxy"})
		var events []*driver.Event
		for _, component := range []string{"", "broker", "gateway"} {
			events = append(events, prepared(t, component, blocked("run-7", "a"), blocked("run-7", "b"), blocked("run-7", "c"))...)
		}
		must(t, driver.Of(sink).Store(t.Context(), events)...)
		sums := map[string]int32{}
		for _, ae := range next.Events() {
			sums[ae.Labels[v1alpha1.LabelComponent]] += max(ae.Spec.Count, 1)
		}
		if len(sums) != 3 || sums[""] != 3 || sums["broker"] != 3 || sums["gateway"] != 3 {
			t.Errorf("the counts of the components are %v, want 3 each", sums)
		}
	})
}

// A spool does not validate what it reads back.
func TestASummaryThatIsInvalidFailsItsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		var events []*driver.Event
		for _, e := range prepared(t, "", blocked("run-7", "a"), blocked("run-7", "b"), blocked("run-7", "c")) {
			bad, err := driver.Decode([]byte(strings.ReplaceAll(string(e.JSON()), `"egress-block"`, `"No Kind"`)))
			must(t, err)
			events = append(events, bad)
		}
		errs := driver.Of(sink).Store(t.Context(), events)
		if len(errs) != 3 || errs[0] != nil {
			t.Fatalf("the outcomes are %v", errs)
		}
		for _, err := range errs[1:] {
			if class, _ := driver.ClassOf(err); class != auditing.ClassInvalid || !strings.Contains(err.Error(), "making the summary of 2 events: ") {
				t.Errorf("got %v", err)
			}
		}
		must(t, driver.Of(sink).Store(t.Context(), events)...) // as new events: one passes, and one waits alone
		if n := len(next.Events()); n != 3 {
			t.Errorf("%d events are stored, want 3", n)
		}
		must(t, sink.Close(t.Context()))
	})
}

func TestSummariesCountAsWritesAndNotAsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		must(t, auditing.RegisterMetrics(reg))
		sink := newSink(t, &sinktest.Recorder{}, flood.Options{Component: "summaries-count"})
		before := audited(t, reg)
		must(t, burst(t.Context(), sink, blocked("run-7", "a"), blocked("run-7", "b"), blocked("run-7", "c"))...)
		after := audited(t, reg)
		for series, want := range map[string]float64{
			"paddock_audit_writes_total ok flood-summary":                            1,
			"paddock_audit_writes_total ok flood":                                    3,
			"paddock_audit_writes_total ok recorder":                                 2,
			"paddock_audit_events_total summaries-count denied egress-block":         3,
			"paddock_audit_events_total summaries-count denied egress-block-summary": 0,
		} {
			if got := after[series] - before[series]; got != want {
				t.Errorf("%s rose by %v, want %v", series, got, want)
			}
		}
	})
}

// audited returns the counters of package auditing, by name and label values.
func audited(t *testing.T, reg prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	must(t, err)
	found := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			series := f.GetName()
			for _, l := range m.GetLabel() {
				series += " " + l.GetValue()
			}
			found[series] = m.GetCounter().GetValue()
		}
	}
	return found
}

func TestInfoIsThatOfTheNextSink(t *testing.T) {
	down := errors.New("down")
	next := driver.New(&batches{down: down, info: driver.Info{
		Name: "batches", Component: "proxy", Level: auditing.LevelDurable, Namespaced: true, Batch: 7, Repeats: driver.RepeatsRecognised,
	}})
	sink := newSink(t, next, flood.Options{})
	want := driver.Info{
		Name: "flood", Chain: "flood(batches)", Component: "proxy",
		Level: auditing.LevelDurable, Namespaced: true, Batch: 7, Repeats: driver.RepeatsRecognised,
	}
	if got := driver.Of(sink).Info(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if err := auditing.Check(t.Context(), sink); !errors.Is(err, down) {
		t.Errorf("Check: %v", err)
	}
	if _, err := flood.New(next, flood.Options{Component: "broker"}); err == nil ||
		!strings.HasPrefix(err.Error(), "flood: two components: ") {
		t.Errorf("another component than the next sink's: %v", err)
	}
}
