package retry_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/retry"
)

// attempt is what a destination saw of one write.
type attempt struct {
	at    time.Duration // since the first
	event v1alpha1.AuditEvent
}

// script answers each attempt with the next of its answers, and with the last
// for ever.
type script struct {
	answers []func(context.Context) error

	mu       sync.Mutex
	start    time.Time
	attempts []attempt
}

func answers(errs ...error) *script {
	s := &script{}
	for _, err := range errs {
		s.answers = append(s.answers, func(context.Context) error { return err })
	}
	return s
}

func (s *script) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return driver.Write(ctx, scripted{s}, ae)
}

func (s *script) Driver() (driver.Driver, auditing.Sink) { return scripted{s}, s }

// scripted is a script as its author sees it.
type scripted struct{ *script }

func (scripted) Info() driver.Info {
	return driver.Info{Name: "script", Chain: auditing.Chain(&script{})}
}
func (scripted) Check(context.Context) error { return nil }
func (scripted) Close(context.Context) error { return nil }

func (s scripted) Store(ctx context.Context, events []*driver.Event) []error {
	return driver.Each(ctx, events, func(ctx context.Context, e *driver.Event) error {
		s.mu.Lock()
		if s.attempts == nil {
			s.start = time.Now()
		}
		answer := s.answers[min(len(s.attempts), len(s.answers)-1)]
		s.attempts = append(s.attempts, attempt{time.Since(s.start), *e.Object()})
		s.mu.Unlock()
		return answer(ctx)
	})
}

// silence is the answer of a destination that says nothing.
func silence(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func newSink(tb testing.TB, next auditing.Sink, opts retry.Options) *retry.Sink {
	tb.Helper()
	sink, err := retry.New(next, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return sink
}

func event() *v1alpha1.AuditEvent {
	return auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", RunName: "run-7", Host: "evil.example", Port: 443})
}

// failed returns the two errors that stand in that of a failed write.
func failed(tb testing.TB, err error, class auditing.Class) (*auditing.WriteError, *retry.Error) {
	tb.Helper()
	var we *auditing.WriteError
	var re *retry.Error
	if !errors.As(err, &we) || !errors.As(err, &re) || we.Sink != "retry" || we.Class != class {
		tb.Fatalf("got %v, want a *WriteError of class %s from retry, with a *retry.Error", err, class)
	}
	return we, re
}

func TestATransientErrorIsTriedAgainUnderTheSameIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers(syscall.ECONNREFUSED, syscall.ECONNRESET, nil)
		ae := event()
		if err := newSink(t, next, retry.Options{}).Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
		if len(next.attempts) != 3 {
			t.Fatalf("%d attempts, want 3", len(next.attempts))
		}
		for _, a := range next.attempts {
			if a.event.Name != ae.Name || a.event.Name == "" || !auditing.EventTime(&a.event).Equal(auditing.EventTime(ae)) {
				t.Errorf("an attempt was made as %s, the event is %s", a.event.Name, ae.Name)
			}
		}
	})
}

func TestPausesGrowWithJitterUpToTheirBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers(syscall.ECONNREFUSED)
		sink := newSink(t, next, retry.Options{MinBackoff: time.Second, MaxBackoff: 4 * time.Second, Within: time.Hour, MaxAttempts: 200})
		failed(t, sink.Write(t.Context(), event()), auditing.ClassTransient)
		different := map[time.Duration]bool{}
		for i, a := range next.attempts[1:] {
			mean := min(time.Second<<min(i, 10), 4*time.Second)
			pause := a.at - next.attempts[i].at
			if pause < mean/2 || pause > mean*3/2+1 {
				t.Errorf("pause %d was %v, want %v to %v", i+1, pause, mean/2, mean*3/2)
			}
			different[pause] = true
		}
		if len(different) < 100 {
			t.Errorf("of 199 pauses only %d differ", len(different))
		}
	})
}

func TestAnErrorThatNoRetryMendsReturnsAtOnce(t *testing.T) {
	for _, class := range []auditing.Class{auditing.ClassPermanent, auditing.ClassInvalid, auditing.ClassClosed} {
		next := answers(driver.WithClass(class, syscall.EPERM))
		err := newSink(t, next, retry.Options{}).Write(t.Context(), event())
		_, re := failed(t, err, class)
		if len(next.attempts) != 1 || re.Attempts != 1 || !errors.Is(err, syscall.EPERM) {
			t.Errorf("%s: %d attempts: %v", class, len(next.attempts), err)
		}
	}
}

func TestAFullSinkIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers(driver.WithClass(auditing.ClassFull, syscall.ENOSPC), nil)
		if err := newSink(t, next, retry.Options{}).Write(t.Context(), event()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestADelayThatTheDestinationAskedForIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers(driver.RetryAfter(syscall.EAGAIN, 7*time.Second), nil)
		if err := newSink(t, next, retry.Options{}).Write(t.Context(), event()); err != nil {
			t.Fatal(err)
		}
		if at := next.attempts[1].at; at < 7*time.Second || at > 8*time.Second {
			t.Errorf("the second attempt came after %v, want a little over 7 s", at)
		}
	})
}

func TestADelayLongerThanTheTimeLeftIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers(driver.RetryAfter(syscall.EAGAIN, time.Minute))
		begin := time.Now()
		we, re := failed(t, newSink(t, next, retry.Options{}).Write(t.Context(), event()), auditing.ClassTransient)
		if took := time.Since(begin); took != 0 || re.Attempts != 1 {
			t.Errorf("%d attempts in %v, want 1 at once", re.Attempts, took)
		}
		if we.RetryAfter != time.Minute || !strings.Contains(we.Error(), "asked for a pause of 1m0s, and there are 30s left") {
			t.Errorf("RetryAfter %v: %v", we.RetryAfter, we)
		}
	})
}

// A delay that some clock or header has got wrong neither waits for ever nor makes
// the attempts follow each other at once.
func TestEndlessDelayGivesUpAndNegativeDelayIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		endless := answers(driver.RetryAfter(syscall.EAGAIN, math.MaxInt64))
		_, re := failed(t, newSink(t, endless, retry.Options{}).Write(t.Context(), event()), auditing.ClassTransient)
		if took := time.Since(begin); took != 0 || re.Attempts != 1 || !strings.Contains(re.GaveUp, "asked for a pause of 2562047h") {
			t.Errorf("a delay without end: %v after %v", re, took)
		}
		past := answers(driver.RetryAfter(syscall.EAGAIN, -time.Hour), nil)
		if err := newSink(t, past, retry.Options{MinBackoff: time.Second}).Write(t.Context(), event()); err != nil {
			t.Fatal(err)
		}
		if pause := past.attempts[1].at; pause < time.Second/2 {
			t.Errorf("after a delay below 0 the next attempt came after %v, want the usual pause", pause)
		}
	})
}

func TestAnAttemptWithoutAnAnswerIsCutOffAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &script{answers: []func(context.Context) error{silence, func(context.Context) error { return nil }}}
		sink := newSink(t, next, retry.Options{Timeout: 2 * time.Second})
		if err := sink.Write(t.Context(), event()); err != nil {
			t.Fatal(err)
		}
		if at := next.attempts[1].at; at < 2*time.Second || at > 3*time.Second {
			t.Errorf("the second attempt came after %v, want 2 s and a pause", at)
		}
	})
}

func TestAttemptsStayWithinTheDefaultBoundAndTheCallersDeadline(t *testing.T) {
	for name, c := range map[string]struct {
		deadline, most time.Duration
	}{
		"no deadline":          {0, 30 * time.Second},
		"an earlier":           {3 * time.Second, 3 * time.Second},
		"a later":              {time.Hour, 30 * time.Second},
		"less than a pause":    {40 * time.Millisecond, 40 * time.Millisecond},
		"less than an attempt": {4 * time.Second, 4 * time.Second},
	} {
		for answer, next := range map[string]*script{
			"refuses":      answers(syscall.ECONNREFUSED),
			"says nothing": {answers: []func(context.Context) error{silence}},
		} {
			t.Run(name+", "+answer, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx := t.Context()
					if c.deadline > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, c.deadline)
						defer cancel()
					}
					begin := time.Now()
					err := newSink(t, next, retry.Options{}).Write(ctx, event())
					took := time.Since(begin)
					var re *retry.Error
					if !errors.As(err, &re) || took > c.most {
						t.Fatalf("took %v, want at most %v: %v", took, c.most, err)
					}
					if re.Attempts != len(next.attempts) || re.Elapsed != took {
						t.Errorf("the error speaks of %d attempts in %v, and there were %d in %v", re.Attempts, re.Elapsed, len(next.attempts), took)
					}
				})
			})
		}
	}
}

func TestCancellationEndsAPauseAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		begin := time.Now()
		sink := newSink(t, answers(syscall.ECONNREFUSED), retry.Options{MinBackoff: 8 * time.Second, MaxBackoff: 8 * time.Second})
		err := sink.Write(ctx, event())
		failed(t, err, auditing.ClassTimeout)
		if took := time.Since(begin); took != 10*time.Second || !errors.Is(err, context.Canceled) || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestCloseEndsAPauseAtOnceAndClosesTheNextSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		next.FailWith(syscall.ECONNREFUSED)
		sink := newSink(t, next, retry.Options{MinBackoff: 20 * time.Second, MaxBackoff: 20 * time.Second})
		begin := time.Now()
		written := make(chan error)
		go func() { written <- sink.Write(t.Context(), event()) }()
		synctest.Wait()
		go func() {
			if err := sink.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		failed(t, <-written, auditing.ClassClosed)
		if took := time.Since(begin); took != 0 {
			t.Errorf("Close let the writer wait %v", took)
		}
		synctest.Wait()
		if class, _ := driver.ClassOf(next.Write(t.Context(), event())); class != auditing.ClassClosed {
			t.Error("the next sink is open still")
		}
	})
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	next := &sinktest.Recorder{}
	for name, make := range map[string]func() (*retry.Sink, error){
		"nil sink":    func() (*retry.Sink, error) { return retry.New(nil, retry.Options{}) },
		"below 0":     func() (*retry.Sink, error) { return retry.New(next, retry.Options{Within: -1}) },
		"first > max": func() (*retry.Sink, error) { return retry.New(next, retry.Options{MinBackoff: 2, MaxBackoff: 1}) },
	} {
		if _, err := make(); err == nil || !strings.HasPrefix(err.Error(), "retry: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	sink := newSink(t, next, retry.Options{MinBackoff: time.Minute})
	if auditing.Chain(sink) != "retry(recorder)" || auditing.LevelOf(sink) != auditing.LevelAccepted {
		t.Errorf("%s at %s", auditing.Chain(sink), auditing.LevelOf(sink))
	}
}
