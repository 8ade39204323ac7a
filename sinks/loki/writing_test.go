package loki

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

func begun(t *testing.T, s *Sink) *writing {
	t.Helper()
	w, err := s.begin(&v1alpha1.AuditEvent{})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestEachWriteEndsWhenItsOwnTimeIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := New("http://loki.invalid", Options{RetryFor: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var writes []*writing
		for range 4 {
			writes = append(writes, begun(t, s))
			time.Sleep(time.Second)
		}
		s.end(writes[0]) // those that end before their time change nothing for the others
		s.end(writes[2])
		waiting, cancel := s.context(t.Context(), writes[3])
		for _, i := range []int{1, 3} {
			if _, ok := writes[i].await(nil); ok || !errors.Is(writes[i].cause, errGaveUp) {
				t.Errorf("write %d: ended by %v, want %v", i, writes[i].cause, errGaveUp)
			}
			if after, want := time.Since(start), 10*time.Second+time.Duration(i)*time.Second; after != want {
				t.Errorf("write %d is over after %s, want %s", i, after, want)
			}
			s.end(writes[i])
		}
		if cause := context.Cause(waiting); !errors.Is(cause, errGaveUp) {
			t.Errorf("the context of a write that waits for room ended with %v, want %v", cause, errGaveUp)
		}
		cancel()

		// The timer has stopped meanwhile, and a later write starts it again.
		time.Sleep(time.Minute)
		start = time.Now()
		late := begun(t, s)
		if _, ok := late.await(nil); ok || time.Since(start) != 10*time.Second {
			t.Errorf("a write after a pause is over after %s", time.Since(start))
		}
		s.end(late)
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAWriteFindsNothingOfTheOneWhosePlaceItTakes(t *testing.T) {
	t.Parallel()
	s, err := New("http://loki.invalid", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 { // pools may forget
		w := begun(t, s)
		s.mu.Lock()
		w.stop(errClosing) // which it does not notice any more
		s.mu.Unlock()
		s.end(w)
		next := begun(t, s)
		if len(next.entry.done) != 0 || next.cause != nil || next.ended != nil || next.lent || next.entry.settled {
			t.Fatalf("a new write finds %+v", next)
		}
		s.end(next)
	}
}
