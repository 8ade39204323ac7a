package retry_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/retry"
)

// picky is a destination that answers each event by its reason, with the next of the
// answers for it; nil when there are none left.
type picky struct {
	answers map[string][]error
	info    driver.Info
	checked error

	mu      sync.Mutex
	start   time.Time
	batches [][]string      // reasons of each attempt
	at      []time.Duration // of each attempt, since the first
	ends    []time.Duration // how long each attempt has; 0 for no deadline
}

func (p *picky) Info() driver.Info {
	p.info.Name = "picky"
	return p.info
}

func (p *picky) Check(context.Context) error { return p.checked }
func (p *picky) Close(context.Context) error { return nil }

func (p *picky) Store(ctx context.Context, events []*driver.Event) []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.batches == nil {
		p.start = time.Now()
	}
	var end time.Duration
	if deadline, ok := ctx.Deadline(); ok {
		end = time.Until(deadline)
	}
	p.at, p.ends = append(p.at, time.Since(p.start)), append(p.ends, end)
	reasons := make([]string, len(events))
	errs := make([]error, len(events))
	for i, e := range events {
		reasons[i] = e.Object().Spec.Reason
		if left := p.answers[reasons[i]]; len(left) > 0 {
			errs[i], p.answers[reasons[i]] = left[0], left[1:]
		}
	}
	p.batches = append(p.batches, reasons)
	return errs
}

// prepared returns an event of each reason.
func prepared(tb testing.TB, reasons ...string) []*driver.Event {
	tb.Helper()
	events := make([]*driver.Event, len(reasons))
	for i, reason := range reasons {
		ae := event()
		ae.Spec.Reason = reason
		var err error
		if events[i], err = driver.Prepare(ae, ""); err != nil {
			tb.Fatal(err)
		}
	}
	return events
}

// always fails an event as often as any test here tries it.
func always(err error) []error { return slices.Repeat([]error{err}, 100) }

func TestOnlyFailedEventsOfABatchAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &picky{answers: map[string][]error{
			"b": {syscall.EIO, syscall.EAGAIN, nil},
			"c": {driver.Permanent(syscall.EPERM)},
			"d": {syscall.EIO},
			"e": {syscall.ECONNRESET, driver.WithClass(auditing.ClassInvalid, syscall.EINVAL)},
		}}
		reg := prometheus.NewRegistry()
		sink := newSink(t, driver.New(next), retry.Options{Registerer: reg, Name: "batch"})
		events := prepared(t, "a", "b", "c", "d", "e")
		handed := slices.Clone(events)
		errs := driver.Of(sink).Store(t.Context(), events)
		want := [][]string{{"a", "b", "c", "d", "e"}, {"b", "d", "e"}, {"b"}}
		if !slices.EqualFunc(next.batches, want, slices.Equal[[]string]) {
			t.Errorf("the attempts were of %v, want %v", next.batches, want)
		}
		if !slices.Equal(events, handed) {
			t.Error("the caller's slice was changed")
		}
		if len(errs) != 5 || errs[0] != nil || errs[1] != nil || errs[3] != nil {
			t.Fatalf("the outcomes are %v", errs)
		}
		for i, c := range map[int]struct {
			class    auditing.Class
			attempts int
			causes   []error
		}{
			2: {auditing.ClassPermanent, 1, []error{syscall.EPERM}},
			4: {auditing.ClassInvalid, 2, []error{syscall.EINVAL, syscall.ECONNRESET}},
		} {
			we, re := failed(t, errs[i], c.class)
			if we.Event != events[i].Ref() || re.Attempts != c.attempts || len(re.Unwrap()) != len(c.causes) {
				t.Errorf("the error of event %d is %v", i, errs[i])
			}
			for _, cause := range c.causes {
				if !errors.Is(errs[i], cause) {
					t.Errorf("the error of event %d does not unwrap to %v: %v", i, cause, errs[i])
				}
			}
		}
		counted := map[string]float64{"ok": 3, "again": 4, "refused": 2, "gave_up": 0}
		if got := attemptsOf(t, reg, "batch"); !maps.Equal(got, counted) {
			t.Errorf("counted %v, want %v", got, counted)
		}
	})
}

func TestABatchWaitsTheLongestPauseAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &picky{answers: map[string][]error{
			"a": {driver.RetryAfter(syscall.EAGAIN, 3*time.Second)},
			"b": {driver.RetryAfter(syscall.EAGAIN, 7*time.Second)},
			"c": {syscall.EAGAIN},
			"d": {driver.RetryAfter(syscall.EAGAIN, time.Minute)},
		}}
		errs := driver.Of(newSink(t, driver.New(next), retry.Options{})).Store(t.Context(), prepared(t, "a", "b", "c", "d"))
		if len(next.batches) != 2 || !slices.Equal(next.batches[1], []string{"a", "b", "c"}) {
			t.Fatalf("the attempts were of %v", next.batches)
		}
		if at := next.at[1]; at < 7*time.Second || at > 8*time.Second {
			t.Errorf("the second attempt came after %v, want a little over 7 s", at)
		}
		if len(errs) != 4 || errs[0] != nil || errs[1] != nil || errs[2] != nil {
			t.Fatalf("the outcomes are %v", errs)
		}
		we, re := failed(t, errs[3], auditing.ClassTransient)
		if we.RetryAfter != time.Minute || re.Attempts != 1 || !strings.Contains(re.GaveUp, "asked for a pause of 1m0s, and there are 30s left") {
			t.Errorf("the event whose pause does not fit gave %v", we)
		}
	})
}

func TestABatchEndsWithItsAttemptsOrItsTime(t *testing.T) {
	for name, c := range map[string]struct {
		opts   retry.Options
		gaveUp string
	}{
		"attempts": {retry.Options{MaxAttempts: 3}, "no further attempt is allowed"},
		"time":     {retry.Options{Within: 2 * time.Second}, "left"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := &picky{answers: map[string][]error{"b": always(syscall.EIO), "c": always(syscall.EAGAIN)}}
				begin := time.Now()
				errs := driver.Of(newSink(t, driver.New(next), c.opts)).Store(t.Context(), prepared(t, "a", "b", "c"))
				if c.opts.Within > 0 && time.Since(begin) > c.opts.Within {
					t.Errorf("it took %v", time.Since(begin))
				}
				if len(errs) != 3 || errs[0] != nil {
					t.Fatalf("the outcomes are %v", errs)
				}
				for i, cause := range map[int]error{1: syscall.EIO, 2: syscall.EAGAIN} {
					_, re := failed(t, errs[i], auditing.ClassTransient)
					if re.Attempts != len(next.batches) || re.Attempts < 2 || !strings.Contains(re.GaveUp, c.gaveUp) || !errors.Is(errs[i], cause) || len(re.Unwrap()) != 1 {
						t.Errorf("event %d after %d attempts: %v", i, len(next.batches), errs[i])
					}
				}
			})
		})
	}
}

func TestCloseEndsTheRetriesOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &picky{answers: map[string][]error{"b": {syscall.EIO}, "c": {syscall.EAGAIN}}}
		sink := newSink(t, driver.New(next), retry.Options{MinBackoff: 20 * time.Second, MaxBackoff: 20 * time.Second})
		stored := make(chan []error)
		go func() { stored <- driver.Of(sink).Store(t.Context(), prepared(t, "a", "b", "c")) }()
		synctest.Wait()
		go func() {
			if err := sink.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		errs := <-stored
		if len(errs) != 3 || errs[0] != nil || len(next.batches) != 1 {
			t.Fatalf("%d attempts, the outcomes are %v", len(next.batches), errs)
		}
		failed(t, errs[1], auditing.ClassClosed)
		failed(t, errs[2], auditing.ClassClosed)
		for _, err := range driver.Of(sink).Store(t.Context(), prepared(t, "d", "e")) {
			if class, _ := driver.ClassOf(err); class != auditing.ClassClosed {
				t.Errorf("after Close: %v", err)
			}
		}
	})
}

// mute hangs until it is released, whatever its context says.
type mute struct {
	driver.Base
	released chan struct{}
}

func (mute) Info() driver.Info { return driver.Info{Name: "mute"} }
func (m mute) Store(context.Context, []*driver.Event) []error {
	<-m.released
	return nil
}

func TestCloseCountsTheEventsOfABatchThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := mute{released: make(chan struct{})}
		sink := newSink(t, driver.New(next), retry.Options{})
		done := make(chan []error)
		go func() { done <- driver.Of(sink).Store(t.Context(), prepared(t, "a", "b", "c")) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := sink.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "3 events under way") {
			t.Errorf("Close gave %v", err)
		}
		close(next.released)
		if errs := <-done; errs != nil {
			t.Errorf("the batch gave %v", errs)
		}
	})
}

func TestAnAttemptEndsWithTheEarliestBound(t *testing.T) {
	for name, c := range map[string]struct {
		deadline time.Duration
		opts     retry.Options
		want     time.Duration
	}{
		"Timeout":                       {opts: retry.Options{Timeout: 4 * time.Second}, want: 4 * time.Second},
		"Timeout by default":            {want: 5 * time.Second},
		"Timeout, not deadline":         {deadline: time.Minute, want: 5 * time.Second},
		"Within, not Timeout":           {opts: retry.Options{Within: 3 * time.Second}, want: 3 * time.Second},
		"the deadline, not the options": {deadline: 2 * time.Second, want: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				next := &picky{}
				if err := newSink(t, driver.New(next), c.opts).Write(ctx, event()); err != nil {
					t.Fatal(err)
				}
				if next.ends[0] != c.want {
					t.Errorf("the attempt has %v, want %v", next.ends[0], c.want)
				}
			})
		})
	}
}

func TestTheStageIsAsTheNextDriverSays(t *testing.T) {
	next := &picky{checked: syscall.EHOSTUNREACH, info: driver.Info{
		Component: "broker", Level: auditing.LevelDurable, Namespaced: true, Batch: 7, Repeats: driver.RepeatsRecognised,
	}}
	sink := newSink(t, driver.New(next), retry.Options{})
	want := next.info
	want.Name, want.Chain = "retry", "retry(picky)"
	if got := driver.Of(sink).Info(); got != want {
		t.Errorf("Info is %+v, want %+v", got, want)
	}
	if err := auditing.Check(t.Context(), sink); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("Check gave %v", err)
	}
	_, err := retry.New(driver.New(next), retry.Options{Component: "proxy"})
	if err == nil || !strings.HasPrefix(err.Error(), "retry: ") || !strings.Contains(err.Error(), `"proxy"`) || !strings.Contains(err.Error(), `"broker"`) {
		t.Errorf("New with a second component gave %v", err)
	}
}
