package batcher_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
)

func TestLoneItemLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func([]string) []error { return nil }}
		_, q := words(t, s, batcher.Options[string]{})
		start := time.Now()
		for _, word := range []string{"a", "b", "c"} {
			if errs := q.Store(t.Context(), []string{word}); errs != nil {
				t.Error(errs)
			}
		}
		s.mustHaveSent(t, "a", "b", "c")
		if took := time.Since(start); took != 0 {
			t.Errorf("three items took %s, want no time", took)
		}
		// Without a Close, synctest fails if a goroutine is left.
	})
}

func TestItemsThatComeMeanwhileShareTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		b, q := words(t, s, batcher.Options[string]{})
		first := store(t.Context(), q, "a")
		second, third := store(t.Context(), q, "b"), store(t.Context(), q, "c", "d")
		s.mustHaveSent(t, "a")
		if n := q.Waiting(); n != 4 {
			t.Errorf("%d items wait, want 4", n)
		}
		s.next(t).answers <- nil
		mustStore(t, first)
		s.next(t).answers <- nil
		mustStore(t, second)
		mustStore(t, third)
		s.mustHaveSent(t, "a", "b c d")
		mustClose(t, b)
	})
}

func TestItemsOfAStoreShareARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func([]string) []error { return nil }}
		b, one := words(t, s, batcher.Options[string]{})
		other := b.Queue(s.send)
		items := []batcher.Item[string]{
			{Value: "a", Queue: one}, {Value: "x", Queue: other}, {Value: "b", Queue: one}, {Value: "none"}, {Value: "y", Queue: other},
		}
		if err := b.Enter(len(items)); err != nil {
			t.Fatal(err)
		}
		b.Store(t.Context(), items)
		b.Leave(items)
		got := s.sent()
		if len(got) != 2 || !strings.Contains(strings.Join(got, ","), "a b") || !strings.Contains(strings.Join(got, ","), "x y") {
			t.Errorf("the requests are %q, want a b and x y", got)
		}
	})
}

func TestRequestsKeepTheirBounds(t *testing.T) {
	for name, c := range map[string]struct {
		opts batcher.Options[string]
		want []string
	}{
		"items": {batcher.Options[string]{MaxItems: 2}, []string{"ccc a", "bb a", "d"}},
		"bytes": {batcher.Options[string]{MaxBytes: 4, Size: func(word string) int { return len(word) }}, []string{"ccc a", "bb a d"}},
		"order": {batcher.Options[string]{Compare: strings.Compare}, []string{"a a bb ccc d"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{answer: func([]string) []error { return nil }}
				c.opts.MaxPerQueue = 1
				b, q := words(t, s, c.opts)
				mustStore(t, store(t.Context(), q, "ccc", "a", "bb", "a", "d"))
				s.mustHaveSent(t, c.want...)
				mustClose(t, b)
			})
		})
	}
}

func TestOutcomesBelongToTheirItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(words []string) []error {
			errs := make([]error, len(words))
			for i, word := range words {
				if word != "good" {
					errs[i] = driver.Permanent(errors.New("refused: " + word))
				}
			}
			return errs
		}}
		_, q := words(t, s, batcher.Options[string]{Compare: strings.Compare})
		errs := q.Store(t.Context(), []string{"worse", "good", "bad"})
		if len(errs) != 3 || errs[1] != nil {
			t.Fatalf("the outcomes are %v", errs)
		}
		mustBe(t, errs[0], auditing.ClassPermanent, "refused: worse")
		mustBe(t, errs[2], auditing.ClassPermanent, "refused: bad")
	})
}

func TestACrowdHasASecondRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		b, q := words(t, s, batcher.Options[string]{Crowd: 3})
		first := store(t.Context(), q, "a")
		second := store(t.Context(), q, "b", "c")
		s.mustHaveSent(t, "a")
		third := store(t.Context(), q, "d")
		s.mustHaveSent(t, "a", "b c d")
		fourth := store(t.Context(), q, "e", "f", "g") // MaxPerQueue are under way
		s.mustHaveSent(t, "a", "b c d")
		for range 3 {
			s.next(t).answers <- nil
		}
		for _, outcomes := range []<-chan []error{first, second, third, fourth} {
			mustStore(t, outcomes)
		}
		s.mustHaveSent(t, "a", "b c d", "e f g")
		mustClose(t, b)
	})
}

func TestMaxInFlightIsOverAllQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		b, q := words(t, s, batcher.Options[string]{MaxInFlight: 2})
		stores := []<-chan []error{store(t.Context(), q, "a"), store(t.Context(), b.Queue(s.send), "b"), store(t.Context(), b.Queue(s.send), "c")}
		s.mustHaveSent(t, "a", "b")
		for range stores {
			s.next(t).answers <- nil
		}
		for _, outcomes := range stores {
			mustStore(t, outcomes)
		}
		s.mustHaveSent(t, "a", "b", "c")
		mustClose(t, b)
	})
}

func TestWritersThatTryAgainShareARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(words []string) []error { return driver.All(len(words), errAway) }}
		b, q := words(t, s, batcher.Options[string]{Pause: time.Second})
		const writers, attempts = 100, 5
		done := make(chan struct{}, writers)
		for range writers {
			go func() {
				defer func() { done <- struct{}{} }()
				for range attempts {
					if errs := q.Store(t.Context(), []string{"x"}); !errors.Is(errs[0], errAway) {
						t.Errorf("the outcome is %v, want the cause", errs)
					}
				}
			}()
		}
		for range writers {
			<-done
		}
		if n := len(s.sent()); n > 2*attempts {
			t.Errorf("%d requests for %d attempts of %d writers, want few for each", n, attempts, writers)
		}
		mustClose(t, b)
	})
}

func TestPermanentFailureIsNotFollowedByAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(words []string) []error { return driver.All(len(words), driver.Permanent(errAway)) }}
		_, q := words(t, s, batcher.Options[string]{Pause: time.Hour})
		for range 3 {
			if took := timed(func() { _ = q.Store(t.Context(), []string{"x"}) }); took != 0 {
				t.Errorf("Store took %s, want no time", took)
			}
		}
	})
}

func timed(call func()) time.Duration {
	start := time.Now()
	call()
	return time.Since(start)
}

func TestPanicOfSendIsTheOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, value := range []any{"oops", fmt.Errorf("oops: %w", errAway)} {
			s := &server{answer: func(words []string) []error {
				if words[0] == "bad" {
					panic(value)
				}
				return nil
			}}
			b, q := words(t, s, batcher.Options[string]{})
			mustFail(t, store(t.Context(), q, "bad", "a"), auditing.ClassPermanent, "panic: oops")
			mustStore(t, store(t.Context(), q, "good"))
			mustClose(t, b)
		}
	})
}

func TestSendThatDoesNotReturnHangsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(words []string) []error {
			if words[0] == "bad" {
				exit()
			}
			return nil
		}}
		b, q := words(t, s, batcher.Options[string]{MaxInFlight: 1})
		mustFail(t, store(t.Context(), q, "bad", "a"), auditing.ClassTransient, "instead of returning")
		mustStore(t, store(t.Context(), q, "good"))
		mustClose(t, b)
	})
}

func TestWrongNumberOfOutcomesIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func([]string) []error { return make([]error, 1) }}
		b, q := words(t, s, batcher.Options[string]{})
		mustFail(t, store(t.Context(), q, "a", "b"), auditing.ClassTransient, "1 outcomes for 2 events")
		mustClose(t, b)
	})
}

func TestNegativeOptionsAreRefused(t *testing.T) {
	_, err := batcher.New(batcher.Options[string]{MaxItems: -1, MaxPendingBytes: -2})
	for _, want := range []string{"Options.MaxItems is -1", "Options.MaxPendingBytes is -2"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New returns %v, want %q", err, want)
		}
	}
}

func TestItemCanGoToAnotherQueueAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := func(_ context.Context, words []string) []error {
			return driver.All(len(words), driver.Permanent(errAway))
		}
		s := &server{answer: func([]string) []error { return nil }}
		b, good := words(t, s, batcher.Options[string]{})
		items := []batcher.Item[string]{{Value: "a", Queue: b.Queue(refuse)}}
		if err := b.Enter(1); err != nil {
			t.Fatal(err)
		}
		b.Store(t.Context(), items)
		mustBe(t, items[0].Err, auditing.ClassPermanent)
		items[0].Queue = good
		b.Store(t.Context(), items)
		b.Leave(items)
		if items[0].Err != nil {
			t.Error(items[0].Err)
		}
		s.mustHaveSent(t, "a")
	})
}
