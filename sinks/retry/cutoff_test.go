package retry

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// made returns a cutoff with a set of watches of its own.
func made(parent context.Context, timeout time.Duration) *cutoff {
	c := newCutoff()
	c.begin(parent, time.Now(), timeout, &watches{})
	return c
}

func TestACutoffEndsAsAContextWithADeadlineDoes(t *testing.T) {
	type key struct{}
	for name, c := range map[string]struct {
		end  func(parent context.CancelFunc, c *cutoff)
		want error
	}{
		"deadline": {func(context.CancelFunc, *cutoff) { time.Sleep(2 * time.Second) }, context.DeadlineExceeded},
		"parent":   {func(parent context.CancelFunc, _ *cutoff) { parent() }, context.Canceled},
		"end":      {func(_ context.CancelFunc, c *cutoff) { c.end() }, context.Canceled},
	} {
		for when, wait := range map[string]time.Duration{"at once": 0, "when it is watched": 2 * watchAfter} {
			t.Run(name+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					parent, cancel := context.WithCancel(t.Context())
					defer cancel()
					asked := made(parent, time.Second)
					child, stop := context.WithCancel(asked)
					defer stop()
					distant, stopDistant := context.WithCancel(context.WithValue(asked, key{}, "value"))
					defer stopDistant()
					unasked := made(parent, time.Second)
					begin := time.Now()
					time.Sleep(wait)
					if asked.Err() != nil || unasked.Err() != nil || child.Err() != nil || distant.Err() != nil {
						t.Fatal("it has ended before anything ended it")
					}
					c.end(cancel, asked)
					c.end(cancel, unasked)
					for _, ended := range []*cutoff{asked, unasked} {
						if !errors.Is(ended.Err(), c.want) {
							t.Errorf("Err is %v, want %v", ended.Err(), c.want)
						}
						<-ended.Done()
					}
					for _, ended := range []context.Context{child, distant} {
						if <-ended.Done(); !errors.Is(ended.Err(), c.want) {
							t.Errorf("Err of a child is %v, want %v", ended.Err(), c.want)
						}
					}
					if took := time.Since(begin); name != "deadline" && took != wait {
						t.Errorf("it ended after %v, want %v", took, wait)
					}
				})
			})
		}
	}
}

// Who waits and does nothing else is told as well, at most watchAfter late.
func TestWhoWaitsForACutoffIsTold(t *testing.T) {
	for name, c := range map[string]struct{ timeout, cancelAfter, want time.Duration }{
		"of the deadline":                 {time.Second, time.Hour, time.Second},
		"of a near deadline":              {watchAfter / 2, time.Hour, watchAfter / 2},
		"of the parent's end":             {time.Second, 500 * time.Millisecond, 500 * time.Millisecond},
		"of the parent's end right after": {time.Second, 1, watchAfter},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, cancel := context.WithCancel(t.Context())
				defer cancel()
				defer time.AfterFunc(c.cancelAfter, cancel).Stop()
				begin := time.Now()
				<-made(parent, c.timeout).Done()
				if took := time.Since(begin); took != c.want {
					t.Errorf("after %v, want %v", took, c.want)
				}
			})
		})
	}
}

func TestACutoffThatEndedUnaskedSaysSoEverAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t.Context(), time.Second)
		c.end()
		if !errors.Is(c.Err(), context.Canceled) {
			t.Errorf("Err is %v", c.Err())
		}
		time.Sleep(2 * time.Second)
		<-c.Done()
		if !errors.Is(c.Err(), context.Canceled) {
			t.Errorf("after its deadline Err is %v", c.Err())
		}
		late, stop := context.WithCancel(c)
		defer stop()
		if <-late.Done(); !errors.Is(late.Err(), context.Canceled) {
			t.Errorf("Err of a late child is %v", late.Err())
		}
		called := make(chan struct{})
		if stop := c.AfterFunc(func() { close(called) }); stop() {
			t.Error("what follows the end could be stopped after it")
		}
		<-called
	})
}

func TestACutoffHasItsOwnDeadlineAndTheParentsValues(t *testing.T) {
	type key struct{}
	parent, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), 2*time.Hour)
	defer cancel()
	c := made(parent, time.Hour)
	defer c.end()
	for range 2 { // before and after Done was asked for
		at, ok := c.Deadline()
		if left := time.Until(at); !ok || left > time.Hour || left < 59*time.Minute || c.Value(key{}) != "value" {
			t.Errorf("deadline %v, value %v", at, c.Value(key{}))
		}
		c.Done()
	}
}

func TestTheChildrenOfACutoffNeedNoGoroutineEachAndLeaveNothingBehind(t *testing.T) {
	c := made(t.Context(), time.Hour)
	defer c.end()
	before := runtime.NumGoroutine()
	var stops []context.CancelFunc
	for range 100 {
		_, stop := context.WithCancel(c)
		stops = append(stops, stop)
	}
	if n := runtime.NumGoroutine() - before; n > 10 {
		t.Errorf("100 children need %d goroutines", n)
	}
	for _, stop := range stops {
		stop()
	}
	if n := len(c.after); n != 0 {
		t.Errorf("%d of 100 children that ended are kept", n)
	}
}

func TestNoTwoAttemptsGetTheSameCutoff(t *testing.T) {
	seen := map[*cutoff]bool{}
	for range 1000 {
		c := newCutoff()
		if seen[c] {
			t.Fatal("a cutoff was handed out twice")
		}
		seen[c] = true
	}
}
