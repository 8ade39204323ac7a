package batcher_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
)

var errTooMuch = driver.Permanent(errors.New("413"))

func TestRequestThatIsTooLargeIsHalved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(words []string) []error {
			if slices.Contains(words, "huge") {
				return driver.All(len(words), batcher.Again(errTooMuch))
			}
			return nil
		}}
		b, q := words(t, s, batcher.Options[string]{})
		errs := q.Store(t.Context(), []string{"a", "b", "c", "huge", "d"})
		mustBe(t, errs[3], auditing.ClassPermanent, "413")
		for _, i := range []int{0, 1, 2, 4} {
			if errs[i] != nil {
				t.Errorf("item %d: %v", i, errs[i])
			}
		}
		s.mustHaveSent(t, "a b c huge d", "a b", "c huge d", "c", "huge d", "huge", "d")
		mustClose(t, b)
	})
}

func TestFewerItemsAreSentAgainTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(words []string) []error {
			i := slices.Index(words, "bad")
			if i < 0 {
				return nil
			}
			errs := driver.All(len(words), batcher.Again(errTooMuch))
			errs[i] = errTooMuch
			return errs
		}}
		b, q := words(t, s, batcher.Options[string]{Compare: strings.Compare})
		errs := q.Store(t.Context(), []string{"c", "bad", "a"})
		mustBe(t, errs[1], auditing.ClassPermanent, "413")
		if errs[0] != nil || errs[2] != nil {
			t.Errorf("the outcomes are %v", errs)
		}
		s.mustHaveSent(t, "a bad c", "a c")
		mustClose(t, b)
	})
}

func TestFailureEndsWhatIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(words []string) []error {
			switch len(words) {
			case 4:
				return driver.All(len(words), batcher.Again(errTooMuch))
			case 2:
				return driver.All(len(words), errAway)
			}
			return nil
		}}
		b, q := words(t, s, batcher.Options[string]{Pause: time.Second})
		mustFail(t, store(t.Context(), q, "a", "b", "c", "d"), auditing.ClassTransient, errAway.Error())
		s.mustHaveSent(t, "a b c d", "a b")
		mustStore(t, later(t, q))
		mustClose(t, b)
	})
}

// later stores one item, after the pause of the queue.
func later(t *testing.T, q *batcher.Queue[string]) <-chan []error {
	outcomes := store(t.Context(), q, "later")
	time.Sleep(time.Second)
	return outcomes
}

func TestOneRequestAtATimeWhileABatchIsInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		b, q := words(t, s, batcher.Options[string]{Crowd: 1})
		first := store(t.Context(), q, "a", "b")
		s.next(t).answers <- driver.All(2, batcher.Again(errTooMuch))
		part := s.next(t)
		second := store(t.Context(), q, "c", "d")
		s.mustHaveSent(t, "a b", "a")
		part.answers <- nil
		s.next(t).answers <- nil
		mustStore(t, first)
		s.next(t).answers <- nil
		mustStore(t, second)
		s.mustHaveSent(t, "a b", "a", "b", "c d")
		mustClose(t, b)
	})
}

func TestWriterThatLeavesHearsWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		b, q := words(t, s, batcher.Options[string]{})
		ctx, leave := context.WithCancel(t.Context())
		first := store(t.Context(), q, "first")
		refused, open := store(ctx, q, "refused"), store(ctx, q, "open")
		stays := store(t.Context(), q, "stays")
		s.next(t).answers <- nil
		mustStore(t, first)
		s.next(t).answers <- []error{errTooMuch, batcher.Again(errTooMuch), batcher.Again(errTooMuch)}
		part := s.next(t)
		leave()
		mustFail(t, refused, auditing.ClassPermanent, "413")
		mustFail(t, open, auditing.ClassTimeout, "outcome is unknown")
		part.answers <- nil
		mustStore(t, stays)
		s.mustHaveSent(t, "first", "refused open stays", "open stays")
		mustClose(t, b)
	})
}

func TestAgainOfNilIsNil(t *testing.T) {
	if err := batcher.Again(nil); err != nil {
		t.Errorf("Again(nil) is %v", err)
	}
}
