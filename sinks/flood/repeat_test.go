package flood_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/flood"
)

func TestAWriterThatGivesUpInTimeIsTakenOutOfTheSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		must(t, sink.Write(t.Context(), blocked("run-7", "evil.example")))
		leaver := blocked("run-7", "gone.example")
		staying := make(chan []error)
		go func() {
			staying <- burst(t.Context(), sink, blocked("run-7", "a.example"), blocked("run-7", "b.example"), blocked("run-7", "c.example"))
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := sink.Write(ctx, leaver)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "taken out") {
			t.Errorf("the leaver got %v", err)
		}
		must(t, <-staying...)
		events := next.Events()
		if counted(events) != 4 || len(events) != 2 {
			t.Fatalf("%d events that count %d, want 2 that count 4", len(events), counted(events))
		}
		for _, d := range events[1].Spec.SampleDestinations {
			if d.Host == "gone.example" {
				t.Error("the summary samples an event that is not in it")
			}
		}
		must(t, sink.Write(t.Context(), leaver))
		if n := counted(next.Events()); n != 5 {
			t.Errorf("after the leaver wrote again the counts add up to %d, want 5", n)
		}
	})
}

func TestAWriterThatGivesUpTooLateFindsOutByWritingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		must(t, sink.Write(t.Context(), blocked("run-7", "evil.example")))
		release := next.Hang()
		ctx, cancel := context.WithTimeout(t.Context(), window+time.Second)
		defer cancel()
		events := []*v1alpha1.AuditEvent{blocked("run-7", "a.example"), blocked("run-7", "b.example")}
		for _, err := range burst(ctx, sink, events...) {
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "outcome is unknown") {
				t.Errorf("got %v", err)
			}
		}
		again := make(chan []error)
		go func() { again <- burst(t.Context(), sink, events...) }() // the first attempt is still under way
		synctest.Wait()
		release()
		must(t, <-again...)
		must(t, burst(t.Context(), sink, events...)...) // and all are stored by now
		if n := counted(next.Events()); n != 3 {
			t.Errorf("the counts add up to %d, want 3", n)
		}
	})
}

// ambiguous stores what it is given and says that it failed, as a destination
// does whose answer is lost.
type ambiguous struct {
	*sinktest.Recorder
	lost func() bool
}

func (a ambiguous) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	err := a.Recorder.Write(ctx, ae)
	if err == nil && a.lost() {
		return syscall.ECONNRESET
	}
	return err
}

func TestEventsOfASummaryThatFailedSendTheSameSummaryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := false
		next := ambiguous{&sinktest.Recorder{}, func() bool { return lost }}
		sink := newSink(t, next, flood.Options{})
		must(t, sink.Write(t.Context(), blocked("run-7", "evil.example")))
		var events []*v1alpha1.AuditEvent
		for range 10 {
			events = append(events, blocked("run-7", "evil.example"))
		}
		lost = true
		for range 3 {
			for _, err := range burst(t.Context(), sink, events...) {
				if !errors.Is(err, syscall.ECONNRESET) {
					t.Fatalf("got %v", err)
				}
			}
			time.Sleep(2 * window)
		}
		lost = false
		must(t, burst(t.Context(), sink, events...)...)
		must(t, burst(t.Context(), sink, events...)...)
		if stored := next.Events(); len(stored) != 2 || counted(stored) != 11 {
			t.Errorf("%d events that count %d, want 2 that count 11", len(stored), counted(stored))
		}
	})
}

func TestAnEventIsCountedOnceHoweverOftenItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		var events []*v1alpha1.AuditEvent
		for i := range 20 {
			ae := blocked("run-7", "evil.example")
			ae.Name = fmt.Sprint("event-", i)
			for range 5 { // copies of one event, at once
				events = append(events, ae.DeepCopy())
			}
		}
		for range 3 {
			must(t, burst(t.Context(), sink, events...)...)
			time.Sleep(window / 3)
		}
		if n := counted(next.Events()); n != 20 {
			t.Errorf("20 events count %d", n)
		}
	})
}

// Of two writers of one event the first gives up, and the event is its own again.
func TestAnEventStaysInTheSummaryWhileOneOfItsWritersWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		must(t, sink.Write(t.Context(), blocked("run-7", "evil.example")))
		leaver := blocked("run-7", "a.example")
		leaver.Name = "event-1"
		stayer := leaver.DeepCopy()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		left := make(chan error)
		go func() {
			err := sink.Write(ctx, leaver)
			leaver.Spec.Destination.Host = "overwritten.example"
			left <- err
		}()
		synctest.Wait()
		staying := make(chan error)
		go func() { staying <- sink.Write(t.Context(), stayer) }()
		if err := <-left; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the leaver got %v", err)
		}
		must(t, <-staying)
		stored := next.Events()
		if len(stored) != 2 || stored[1].Name != "event-1" || stored[1].Spec.Destination.Host != "a.example" {
			t.Errorf("stored: %+v", stored)
		}
	})
}

// Other content under a used name is another event: it is neither swallowed as a
// repeat nor waved through, but counted.
func TestOtherContentUnderAUsedNameIsNotTakenForARepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		one := blocked("run-7", "one.example")
		other := one.DeepCopy()
		must(t, sink.Write(t.Context(), blocked("run-7", "a"))) // goes as itself, and those after it wait
		must(t, burst(t.Context(), sink, one, blocked("run-7", "b"))...)
		other.Name, other.Spec.Destination.Host = one.Name, "other.example"
		must(t, sink.Write(t.Context(), blocked("run-7", "c")))
		must(t, burst(t.Context(), sink, other, blocked("run-7", "d"))...)
		if n := counted(next.Events()); n != 6 {
			t.Errorf("6 events count %d", n)
		}
	})
}

// Every writer insists until its event is written, through timeouts, refusals
// and lost answers: then every event is counted, and none twice.
func TestTheCountsAddUpThroughTimeoutsAndLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(1, 2))
		chance := func(percent int) bool {
			mu.Lock()
			defer mu.Unlock()
			return random.IntN(100) < percent
		}
		recorder := ambiguous{&sinktest.Recorder{}, func() bool { return chance(20) }}
		next := slow{recorder, func() time.Duration {
			if chance(20) {
				return 700 * time.Millisecond
			}
			return time.Millisecond
		}, func() bool { return chance(20) }}
		sink := newSink(t, next, flood.Options{Rate: 50, Burst: 20})
		const writers, each = 64, 100
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					ae := blocked(fmt.Sprint("run-", (w+i)%40), "evil.example")
					for insist(t.Context(), sink, ae, chance(50)) != nil {
						time.Sleep(10 * time.Millisecond)
					}
				}
			})
		}
		wg.Wait()
		must(t, sink.Close(t.Context()))
		if n := counted(recorder.Events()); n != writers*each {
			t.Errorf("%d events count %d", writers*each, n)
		}
		t.Logf("%d events are stored as %d", writers*each, len(recorder.Events()))
	})
}

func insist(ctx context.Context, s auditing.Sink, ae *v1alpha1.AuditEvent, impatient bool) error {
	timeout := 10 * time.Second
	if impatient {
		timeout = 300 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return s.Write(ctx, ae)
}

// slow takes its time, and refuses some events.
type slow struct {
	auditing.Sink
	delay   func() time.Duration
	refuses func() bool
}

func (s slow) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	select {
	case <-time.After(s.delay()):
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.refuses() {
		return syscall.EAGAIN
	}
	return s.Sink.Write(ctx, ae)
}
