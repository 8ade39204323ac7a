package batcher_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver/batcher"
)

func exit() { runtime.Goexit() }

func TestWriterThatLeavesTheQueueIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		b, q := words(t, s, batcher.Options[string]{})
		first := store(t.Context(), q, "a")
		ctx, leave := context.WithCancel(t.Context())
		left, stays := store(ctx, q, "b"), store(t.Context(), q, "c")
		leave()
		mustFail(t, left, auditing.ClassTimeout, "not sent")
		later := store(t.Context(), q, "d") // into a request that has lost an item
		s.next(t).answers <- nil
		s.next(t).answers <- nil
		for _, outcomes := range []<-chan []error{first, stays, later} {
			mustStore(t, outcomes)
		}
		s.mustHaveSent(t, "a", "c d")
		mustClose(t, b)
	})
}

func TestRequestThatAllHaveLeftIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		b, q := words(t, s, batcher.Options[string]{})
		first := store(t.Context(), q, "a")
		ctx, leave := context.WithCancel(t.Context())
		left := store(ctx, q, "b", "c")
		leave()
		mustFail(t, left, auditing.ClassTimeout, "not sent")
		s.next(t).answers <- nil
		mustStore(t, first)
		s.mustHaveSent(t, "a")
		mustClose(t, b)
	})
}

func TestWriterThatLeavesARequestLeavesItToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		b, q := words(t, s, batcher.Options[string]{})
		first := store(t.Context(), q, "a")
		ctx, leave := context.WithCancel(t.Context())
		left, stays := store(ctx, q, "b"), store(t.Context(), q, "c")
		s.next(t).answers <- nil
		mustStore(t, first)
		r := s.next(t)
		leave()
		mustFail(t, left, auditing.ClassTimeout, "outcome is unknown", "harmless")
		r.answers <- nil
		mustStore(t, stays)
		s.mustHaveSent(t, "a", "b c")
		mustClose(t, b)
	})
}

func TestRequestIsCancelledWhenAllHaveLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		b, q := words(t, s, batcher.Options[string]{})
		ctx, leave := context.WithCancel(t.Context())
		left := store(ctx, q, "a", "b")
		r := s.next(t)
		leave()
		mustFail(t, left, auditing.ClassTimeout, "outcome is unknown")
		synctest.Wait()
		select {
		case <-r.ended:
		default:
			t.Error("the request goes on")
		}
		mustClose(t, b)
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		b, q := words(t, s, batcher.Options[string]{MaxPendingBytes: 3000, Size: func(word string) int { return len(word) }})
		first := store(t.Context(), q, "first")
		leaver, leave := context.WithCancel(t.Context())
		large := store(leaver, q, strings.Repeat("x", 1500))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		late := store(ctx, q, strings.Repeat("y", 1000))
		time.Sleep(time.Second)
		mustFail(t, late, auditing.ClassFull, "not sent", "MaxPendingBytes")
		tooLarge := store(t.Context(), q, "fits", strings.Repeat("z", 4000))

		leave() // what waits in the queue gives its memory back
		mustFail(t, large, auditing.ClassTimeout, "not sent")
		later := store(t.Context(), q, strings.Repeat("y", 1000))
		s.next(t).answers <- nil
		s.next(t).answers <- nil
		mustStore(t, first)
		mustStore(t, later)
		errs := <-tooLarge
		if errs[0] != nil {
			t.Errorf("an item beside one that is too large: %v", errs[0])
		}
		mustBe(t, errs[1], auditing.ClassPermanent, "not sent", "MaxPendingBytes")
		mustClose(t, b)
	})
}

func TestStoreMayBeLargerThanAllRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func([]string) []error { return nil }}
		b, q := words(t, s, batcher.Options[string]{MaxPendingBytes: 2000})
		many := make([]string, 50)
		for i := range many {
			many[i] = strconv.Itoa(i)
		}
		one, two := store(t.Context(), q, many...), store(t.Context(), q, many...)
		mustStore(t, one)
		mustStore(t, two)
		if got := strings.Fields(strings.Join(s.sent(), " ")); len(got) != 2*len(many) {
			t.Errorf("%d items were sent, want %d", len(got), 2*len(many))
		}
		mustClose(t, b)
	})
}

// Everything that is confirmed was sent once, whatever other writers do meanwhile.
func TestManyWritersComeAndLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		sent := map[string]int{}
		b, err := batcher.New(batcher.Options[string]{MaxItems: 16, Crowd: 8, MaxPendingBytes: 20_000, Pause: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		q := b.Queue(func(ctx context.Context, words []string) []error {
			time.Sleep(rand.N(3 * time.Millisecond))
			mu.Lock()
			defer mu.Unlock()
			errs := make([]error, len(words))
			for i, word := range words {
				if word == "" {
					t.Error("an item without its value was sent")
				}
				if errs[i] = ctx.Err(); errs[i] == nil && rand.N(100) == 0 {
					errs[i] = errAway
				}
				if errs[i] == nil {
					sent[word]++
				}
			}
			return errs
		})
		var wg sync.WaitGroup
		for writer := range 64 {
			wg.Go(func() {
				for i := range 50 {
					ctx, cancel := context.WithCancel(t.Context())
					if writer%2 == 0 {
						ctx, cancel = context.WithTimeout(ctx, rand.N(8*time.Millisecond))
					}
					word := strconv.Itoa(writer) + "." + strconv.Itoa(i)
					pair := []string{word, word + "+"}
					errs := q.Store(ctx, pair)
					cancel()
					if errs == nil {
						errs = make([]error, len(pair))
					}
					mu.Lock()
					for n, err := range errs {
						if err == nil && sent[pair[n]] != 1 {
							t.Errorf("%s is confirmed and was stored %d times", pair[n], sent[pair[n]])
						}
						if err != nil && writer%2 == 1 && !errors.Is(err, errAway) {
							t.Errorf("a writer with time: %v", err)
						}
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if n := q.Waiting(); n != 0 {
			t.Errorf("%d items wait at the end", n)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
