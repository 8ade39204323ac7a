package retry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestACutoffEndsAsAContextWithADeadlineDoes(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(parent context.CancelFunc, c *cutoff)
		want error
	}{
		"deadline": {func(context.CancelFunc, *cutoff) { time.Sleep(2 * time.Second) }, context.DeadlineExceeded},
		"parent":   {func(parent context.CancelFunc, _ *cutoff) { parent() }, context.Canceled},
		"end":      {func(_ context.CancelFunc, c *cutoff) { c.end() }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, cancel := context.WithCancel(t.Context())
				defer cancel()
				asked := newCutoff(parent, time.Now().Add(time.Second))
				child, stop := context.WithCancel(asked)
				defer stop()
				unasked := newCutoff(parent, time.Now().Add(time.Second))
				if asked.Err() != nil || unasked.Err() != nil || child.Err() != nil {
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
				<-child.Done()
			})
		})
	}
}

func TestACutoffThatEndedUnaskedSaysSoEverAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCutoff(t.Context(), time.Now().Add(time.Second))
		c.end()
		if !errors.Is(c.Err(), context.Canceled) {
			t.Errorf("Err is %v", c.Err())
		}
		time.Sleep(2 * time.Second)
		<-c.Done()
		if !errors.Is(c.Err(), context.Canceled) {
			t.Errorf("after its deadline Err is %v", c.Err())
		}
	})
}

func TestACutoffHasItsOwnDeadlineAndTheParentsValues(t *testing.T) {
	type key struct{}
	parent, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), 2*time.Hour)
	defer cancel()
	own := time.Now().Add(time.Hour)
	c := newCutoff(parent, own)
	defer c.end()
	for range 2 { // before and after Done was asked for
		if at, ok := c.Deadline(); !ok || !at.Equal(own) || c.Value(key{}) != "value" {
			t.Errorf("deadline %v, value %v", at, c.Value(key{}))
		}
		c.Done()
	}
}
