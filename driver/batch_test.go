package driver_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

func TestEachStoresInOrderAndGivesEachItsOutcome(t *testing.T) {
	events := batch(t, 5)
	var got []*driver.Event
	errs := driver.Each(t.Context(), events, func(_ context.Context, e *driver.Event) error {
		if got = append(got, e); e == events[1] || e == events[3] {
			return errRefused
		}
		return nil
	})
	if !slices.Equal(got, events) {
		t.Error("another order than that of the batch")
	}
	if want := []error{nil, errRefused, nil, errRefused, nil}; !slices.Equal(errs, want) {
		t.Errorf("outcomes %v, want %v", errs, want)
	}
}

func TestASuccessOfAllIsNil(t *testing.T) {
	ok := func(context.Context, *driver.Event) error { return nil }
	for _, n := range []int{1, 2, 50} {
		if errs := driver.Each(t.Context(), batch(t, n), ok); errs != nil {
			t.Errorf("Each of %d: %v", n, errs)
		}
		if errs := driver.Parallel(t.Context(), 8, batch(t, n), ok); errs != nil {
			t.Errorf("Parallel of %d: %v", n, errs)
		}
	}
	if errs := driver.All(3, nil); errs != nil {
		t.Errorf("All: %v", errs)
	}
}

func TestAllIsOneErrorForEach(t *testing.T) {
	if errs := driver.All(3, errRefused); !slices.Equal(errs, []error{errRefused, errRefused, errRefused}) {
		t.Errorf("outcomes %v", errs)
	}
}

func TestParallelHasAtMostNUnderWay(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 3, 8, 100} {
		synctest.Test(t, func(t *testing.T) {
			events := batch(t, 8)
			var underWay, most atomic.Int64
			var mu sync.Mutex
			seen := map[*driver.Event]int{}
			start := time.Now()
			errs := driver.Parallel(t.Context(), n, events, func(_ context.Context, e *driver.Event) error {
				most.Store(max(most.Load(), underWay.Add(1)))
				defer underWay.Add(-1)
				time.Sleep(time.Second)
				mu.Lock()
				defer mu.Unlock()
				seen[e]++
				return nil
			})
			want := int64(min(max(n, 1), len(events)))
			if errs != nil || most.Load() != want || len(seen) != len(events) {
				t.Errorf("n %d: outcomes %v, %d at once, %d events", n, errs, most.Load(), len(seen))
			}
			if took, rounds := time.Since(start), (int64(len(events))+want-1)/want; took != time.Duration(rounds)*time.Second {
				t.Errorf("n %d: took %v, want %d rounds", n, took, rounds)
			}
		})
	}
}

func TestAPanicOfOneEventFailsNoOther(t *testing.T) {
	events := batch(t, 6)
	for name, store := range map[string]func(func(context.Context, *driver.Event) error) []error{
		"Each": func(f func(context.Context, *driver.Event) error) []error { return driver.Each(t.Context(), events, f) },
		"Parallel": func(f func(context.Context, *driver.Event) error) []error {
			return driver.Parallel(t.Context(), 3, events, f)
		},
	} {
		errs := store(func(_ context.Context, e *driver.Event) error {
			if e == events[2] {
				panic(errRefused)
			}
			return nil
		})
		for i, err := range errs {
			if (err != nil) != (i == 2) {
				t.Errorf("%s: event %d: %v", name, i, err)
			}
		}
		if class, _ := driver.ClassOf(errs[2]); class != auditing.ClassPermanent || !errors.Is(errs[2], errRefused) || !strings.Contains(errs[2].Error(), "panic") {
			t.Errorf("%s: %v", name, errs[2])
		}
	}
}

func TestTheRestIsNotAttemptedOnceTheContextEnded(t *testing.T) {
	events := batch(t, 5)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	errs := driver.Each(ctx, events, func(context.Context, *driver.Event) error {
		if calls++; calls == 2 {
			cancel()
		}
		return nil
	})
	if calls != 2 || len(errs) != 5 || errs[0] != nil || errs[1] != nil {
		t.Fatalf("%d calls, outcomes %v", calls, errs)
	}
	for _, err := range errs[2:] {
		if class, _ := driver.ClassOf(err); class != auditing.ClassTimeout || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "not attempted") {
			t.Errorf("class %s: %v", class, err)
		}
	}
}
