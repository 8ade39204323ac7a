package multi_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/multi"
)

// prepared returns an event of each name.
func prepared(tb testing.TB, names ...string) []*driver.Event {
	tb.Helper()
	events := make([]*driver.Event, len(names))
	for i, name := range names {
		ae := auditing.NewEvent(auditing.EventInput{Namespace: "team-a", Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionDenied})
		ae.Name = name
		var err error
		if events[i], err = driver.Prepare(ae, ""); err != nil {
			tb.Fatal(err)
		}
	}
	return events
}

// picky fails the events of some names, after a while.
type picky struct {
	fails   map[string]error
	after   time.Duration
	checked error
}

func (*picky) Info() driver.Info             { return driver.Info{Name: "picky"} }
func (*picky) Close(context.Context) error   { return nil }
func (p *picky) Check(context.Context) error { return p.checked }

func (p *picky) Store(ctx context.Context, events []*driver.Event) []error {
	if p.after > 0 {
		select {
		case <-time.After(p.after):
		case <-ctx.Done():
			return driver.All(len(events), ctx.Err())
		}
	}
	errs := make([]error, len(events))
	for i, e := range events {
		errs[i] = p.fails[e.Name()]
	}
	return errs
}

// alarm collects what OnFailure hears.
type alarm struct {
	mu    sync.Mutex
	heard []string
}

func (a *alarm) hear(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	class, _ := driver.ClassOf(err)
	a.heard = append(a.heard, childOf(err)+" "+ae.Namespace+"/"+ae.Name+" "+string(class))
}

func (a *alarm) sorted() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(slices.Values(a.heard))
}

func over(t *testing.T, opts multi.Options, children ...driver.Driver) (*multi.Sink, *alarm) {
	t.Helper()
	heard := &alarm{}
	opts.OnFailure = heard.hear
	named := make([]multi.Child, len(children))
	for i, d := range children {
		named[i] = multi.Child{Name: string(rune('a' + i)), Sink: driver.New(d)}
	}
	sink, err := multi.New(named, opts)
	if err != nil {
		t.Fatal(err)
	}
	return sink, heard
}

func TestThePolicyDecidesForEachEventOfABatch(t *testing.T) {
	for _, test := range []struct {
		require multi.Policy
		failed  []int // indices
		heard   []string
	}{
		{multi.All(), []int{1, 2, 3}, nil},
		{multi.Any(), []int{3}, []string{"a team-a/x1 transient", "a team-a/x2 transient", "b team-a/x2 permanent"}},
		{multi.AtLeast(2), []int{2, 3}, []string{"a team-a/x1 transient"}},
		{multi.Named("c"), []int{3}, []string{"a team-a/x1 transient", "a team-a/x2 transient", "b team-a/x2 permanent"}},
	} {
		t.Run(test.require.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refused := driver.Permanent(errRefused)
				sink, heard := over(t, multi.Options{Require: test.require},
					&picky{fails: map[string]error{"x1": errBusy, "x2": errBusy, "x3": errBusy}},
					&picky{fails: map[string]error{"x2": refused, "x3": refused}},
					&picky{fails: map[string]error{"x3": errBusy}},
				)
				events := prepared(t, "x0", "x1", "x2", "x3", "x4")
				errs := driver.Of(sink).Store(t.Context(), events)
				if err := sink.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				if len(errs) != len(events) {
					t.Fatalf("%d outcomes of %d events", len(errs), len(events))
				}
				var failed []int
				for i, err := range errs {
					if err == nil {
						continue
					}
					failed = append(failed, i)
					var we *auditing.WriteError
					if !errors.As(err, &we) || we.Event != events[i].Ref() || we.Sink != "multi" {
						t.Errorf("the error of event %d is %v", i, err)
					}
				}
				if !slices.Equal(failed, test.failed) {
					t.Errorf("the events %v failed, want %v", failed, test.failed)
				}
				if e := fared(t, errs[3]); !reflect.DeepEqual([][]string{e.Failed, e.Succeeded, e.Pending}, [][]string{{"a", "b", "c"}, nil, nil}) {
					t.Errorf("the error of the last one says %+v", e)
				}
				if got := heard.sorted(); !slices.Equal(got, test.heard) {
					t.Errorf("OnFailure heard %v, want %v", got, test.heard)
				}
			})
		})
	}
}

func TestTheClassOfEachEventOfABatchIsItsOwn(t *testing.T) {
	sink, _ := over(t, multi.Options{Require: multi.Any()},
		&picky{fails: map[string]error{
			"x0": driver.Permanent(errRefused), "x1": driver.Permanent(errRefused), "x2": driver.WithClass(auditing.ClassInvalid, errRefused),
		}},
		&picky{fails: map[string]error{
			"x0": driver.RetryAfter(errBusy, 7*time.Second), "x1": driver.WithClass(auditing.ClassClosed, errRefused), "x2": driver.Permanent(errRefused),
		}},
	)
	errs := driver.Of(sink).Store(t.Context(), prepared(t, "x0", "x1", "x2"))
	if len(errs) != 3 {
		t.Fatalf("the outcomes are %v", errs)
	}
	for i, want := range []auditing.Class{auditing.ClassTransient, auditing.ClassPermanent, auditing.ClassPermanent} {
		class, pause := driver.ClassOf(errs[i])
		if class != want || (pause == 7*time.Second) != (i == 0) {
			t.Errorf("event %d: class %s with pause %v, want %s", i, class, pause, want)
		}
	}
}

func TestABatchReturnsWhenEveryEventMeetsTheRequirement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, heard := over(t, multi.Options{Require: multi.Any()},
			&picky{fails: map[string]error{"x1": errBusy}},
			&picky{fails: map[string]error{"x0": errBusy}, after: time.Second},
			&picky{fails: map[string]error{"x0": errRefused, "x2": errRefused}, after: 3 * time.Second},
		)
		start := time.Now()
		errs := driver.Of(sink).Store(t.Context(), prepared(t, "x0", "x1", "x2"))
		if took := time.Since(start); errs != nil || took != time.Second {
			t.Errorf("Store gave %v after %v", errs, took)
		}
		if err := sink.Close(t.Context()); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("Close gave %v after %v", err, time.Since(start))
		}
		want := []string{"a team-a/x1 transient", "b team-a/x0 transient", "c team-a/x0 transient", "c team-a/x2 transient"}
		if got := heard.sorted(); !slices.Equal(got, want) {
			t.Errorf("OnFailure heard %v, want %v", got, want)
		}
	})
}

// What some events of a batch need is not taken from them because others failed.
func TestStragglersOfAPartlyStoredBatchGoOn(t *testing.T) {
	for name, test := range map[string]struct {
		fails map[string]error
		heard []string
		took  time.Duration
	}{
		"some are stored": {map[string]error{"x1": errBusy}, nil, 3 * time.Second},
		"none are stored": {map[string]error{"x0": errBusy, "x1": errBusy}, []string{"b team-a/x0 timeout", "b team-a/x1 timeout"}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sink, heard := over(t, multi.Options{Require: multi.Any()}, &picky{fails: test.fails}, &picky{after: 3 * time.Second})
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				start := time.Now()
				errs := driver.Of(sink).Store(ctx, prepared(t, "x0", "x1"))
				if len(errs) != 2 || (errs[0] == nil) != (name == "some are stored") || time.Since(start) != time.Second {
					t.Fatalf("Store gave %v after %v", errs, time.Since(start))
				}
				e := fared(t, errs[1])
				if class, _ := driver.ClassOf(errs[1]); class != auditing.ClassTimeout || !slices.Equal(e.Failed, []string{"a"}) || !slices.Equal(e.Pending, []string{"b"}) {
					t.Errorf("the error is %v", errs[1])
				}
				if err := sink.Close(t.Context()); err != nil || time.Since(start) != test.took {
					t.Errorf("Close gave %v after %v, want %v", err, time.Since(start), test.took)
				}
				if got := heard.sorted(); !slices.Equal(got, test.heard) {
					t.Errorf("OnFailure heard %v, want %v", got, test.heard)
				}
			})
		})
	}
}

func TestMaxStragglersCountsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := &keeper{held: make(chan struct{})}
		sink, heard := over(t, multi.Options{Require: multi.Any(), MaxStragglers: 4}, &picky{}, hung)
		for _, names := range [][]string{{"x0", "x1", "x2"}, {"x3", "x4"}, {"x5", "x6"}} {
			if errs := driver.Of(sink).Store(t.Context(), prepared(t, names...)); errs != nil {
				t.Fatal(errs)
			}
			synctest.Wait()
		}
		want := []string{"b team-a/x5 full", "b team-a/x6 full"}
		if got := heard.sorted(); !slices.Equal(got, want) {
			t.Errorf("OnFailure heard %v, want %v", got, want)
		}
		close(hung.held)
		synctest.Wait()
		if errs := driver.Of(sink).Store(t.Context(), prepared(t, "x7")); errs != nil {
			t.Fatal(errs)
		}
		if err := sink.Close(t.Context()); err != nil || len(hung.seen) != 6 || len(heard.sorted()) != 2 {
			t.Errorf("Close gave %v, %d events arrived, OnFailure heard %v", err, len(hung.seen), heard.sorted())
		}
	})
}

// Several goroutines give a plain sink the events of a batch. This sink ends each goroutine
// that calls it.
func TestAChildThatEndsItsGoroutinesFailsTheWholeBatch(t *testing.T) {
	a := &keeper{}
	sink, err := multi.New([]multi.Child{{Name: "a", Sink: driver.New(a)}, {Name: "b", Sink: ender{}}}, multi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	errs := driver.Of(sink).Store(t.Context(), prepared(t, "x0", "x1", "x2"))
	if len(errs) != 3 || len(a.seen) != 3 {
		t.Fatalf("the outcomes are %v, %d events arrived elsewhere", errs, len(a.seen))
	}
	for _, err := range errs {
		if e := fared(t, err); !slices.Equal(e.Failed, []string{"b"}) {
			t.Errorf("the error is %v", err)
		}
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestABatchAfterCloseFails(t *testing.T) {
	sink, _ := over(t, multi.Options{}, &picky{})
	if err := sink.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	errs := driver.Of(sink).Store(t.Context(), prepared(t, "x0", "x1"))
	if len(errs) != 2 {
		t.Fatalf("the outcomes are %v", errs)
	}
	for _, err := range errs {
		if class, _ := driver.ClassOf(err); class != auditing.ClassClosed {
			t.Errorf("the error is %v", err)
		}
	}
}

// unanswered does not answer Check before the end of its context, or ever.
type unanswered struct{ picky }

func (unanswered) Check(context.Context) error { select {} }

func TestCheckAsksAllChildrenAndNamesThoseThatFail(t *testing.T) {
	for _, require := range []multi.Policy{multi.All(), multi.Any(), multi.Named("b")} {
		sink, _ := over(t, multi.Options{Require: require}, &picky{checked: errRefused}, &picky{}, &picky{checked: errBusy})
		err := auditing.Check(t.Context(), sink)
		if !errors.Is(err, errRefused) || !errors.Is(err, errBusy) ||
			!strings.Contains(err.Error(), "checking a: refused") || !strings.Contains(err.Error(), "checking c: busy") || strings.Contains(err.Error(), "checking b") {
			t.Errorf("%s: Check gave %v", require, err)
		}
	}
	well, _ := over(t, multi.Options{}, &picky{}, &picky{})
	if err := auditing.Check(t.Context(), well); err != nil {
		t.Errorf("Check gave %v", err)
	}
}

func TestCheckEndsWithItsContextAndNamesSilentChildren(t *testing.T) {
	sink, _ := over(t, multi.Options{}, &picky{checked: errRefused}, &unanswered{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := auditing.Check(ctx, sink)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "checking b: no answer yet") {
		t.Errorf("Check gave %v", err)
	}
}
