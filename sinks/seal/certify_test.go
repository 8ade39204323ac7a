package seal_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/sinks/seal"
)

// authority is an Authority that answers as a function says, and counts the calls.
type authority struct {
	answer func(ctx context.Context, notAfter time.Time) (string, time.Time, error)

	mu    sync.Mutex
	calls int
}

func (a *authority) Certify(ctx context.Context, _ string, _, notAfter time.Time) (string, time.Time, error) {
	a.mu.Lock()
	a.calls++
	answer := a.answer
	a.mu.Unlock()
	return answer(ctx, notAfter)
}

func (a *authority) set(answer func(ctx context.Context, notAfter time.Time) (string, time.Time, error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

// agree gives what is asked for.
func agree(_ context.Context, notAfter time.Time) (string, time.Time, error) {
	return "good", notAfter, nil
}

func fail(context.Context, time.Time) (string, time.Time, error) {
	return "", time.Time{}, errors.New("the API server is away")
}

// inTime is a destination that stores only what comes before the end of its context.
type inTime struct{ *sinktest.Recorder }

func (i inTime) Driver() (driver.Driver, auditing.Sink) {
	d, _ := i.Recorder.Driver()
	return checking{d}, i
}

type checking struct{ driver.Driver }

func (c checking) Store(ctx context.Context, events []*driver.Event) []error {
	if ctx.Err() != nil {
		return driver.All(len(events), ctx.Err())
	}
	return c.Driver.Store(ctx, events)
}

// failures collects what OnFailure hears.
type failures struct {
	mu  sync.Mutex
	all []string
}

func (f *failures) hear(_ context.Context, _ *v1alpha1.AuditEvent, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, err.Error())
}

// certificates returns those of the stored checkpoints.
func certificates(t *testing.T, r *sinktest.Recorder) (all []string) {
	t.Helper()
	for _, ae := range r.Events() {
		if trail.IsCheckpoint(ae.Spec.Kind) {
			c, err := trail.ParseCheckpoint(ae.Spec.Detail)
			must(t, err)
			all = append(all, c.Certificate)
		}
	}
	return all
}

func TestHangingAuthorityHoldsUpNoCheckpoint(t *testing.T) {
	for name, heeds := range map[string]bool{"heeds its context": true, "ignores it": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				free := make(chan struct{})
				a := &authority{answer: func(ctx context.Context, _ time.Time) (string, time.Time, error) {
					if heeds {
						<-ctx.Done()
						return "", time.Time{}, ctx.Err()
					}
					<-free
					return "", time.Time{}, errors.New("late")
				}}
				next, heard := &sinktest.Recorder{}, &failures{}
				s, err := seal.New(inTime{next}, seal.Options{Component: "proxy", Authority: a, OnFailure: heard.hear, Timeout: 2 * time.Second})
				must(t, err)
				must(t, s.Wait(within(t, 3*time.Second)))
				for i := range 20 { // these do not wait for it
					must(t, s.Write(t.Context(), denial(i)))
					must(t, s.Wait(within(t, time.Millisecond)))
				}
				must(t, s.Close(within(t, 3*time.Second)))
				close(free)
				if len(heard.all) == 0 || !strings.Contains(heard.all[0], "has not answered within 2s") {
					t.Errorf("heard %q", heard.all)
				}
				for _, text := range certificates(t, next) {
					if text != "" {
						t.Errorf("the certificate %q", text)
					}
				}
			})
		})
	}
}

func TestCloseDoesNotWaitForAHangingAuthority(t *testing.T) {
	for _, before := range []time.Duration{0, time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			a := &authority{answer: func(ctx context.Context, _ time.Time) (string, time.Time, error) {
				<-ctx.Done()
				return "", time.Time{}, ctx.Err()
			}}
			next := &sinktest.Recorder{}
			s, err := seal.New(next, seal.Options{Component: "proxy", Authority: a})
			must(t, err)
			must(t, s.Write(t.Context(), denial(0)))
			time.Sleep(before)
			if err := s.Close(within(t, 5*time.Second)); err != nil {
				t.Errorf("closed after %v: %v", before, err)
			}
			events := next.Events()
			if last := events[len(events)-1]; last.Spec.Kind != "trail-closed" {
				t.Errorf("closed after %v: the last event is %s", before, last.Spec.Kind)
			}
		})
	}
}

func TestTrailOutlivesABadAuthority(t *testing.T) {
	for want, answer := range map[string]func(context.Context, time.Time) (string, time.Time, error){
		"panicked": func(context.Context, time.Time) (string, time.Time, error) { panic("a mistake") },
		"away":     fail,
		"returned no certificate": func(_ context.Context, end time.Time) (string, time.Time, error) {
			return "", end, nil
		},
		"room for 4096": func(_ context.Context, end time.Time) (string, time.Time, error) {
			return strings.Repeat("hunter2", 1000), end, nil
		},
		"not UTF-8": func(_ context.Context, end time.Time) (string, time.Time, error) {
			return "hunter2\xff", end, nil
		},
		"has ended": func(context.Context, time.Time) (string, time.Time, error) {
			return "hunter2", time.Now(), nil
		},
	} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, next, heard := &authority{answer: answer}, &sinktest.Recorder{}, &failures{}
				s, err := seal.New(next, seal.Options{Component: "proxy", Authority: a, OnFailure: heard.hear})
				must(t, err)
				must(t, s.Write(t.Context(), denial(0)))
				must(t, s.Wait(within(t, time.Second)))
				if len(heard.all) != 1 || !strings.Contains(heard.all[0], want) || strings.Contains(heard.all[0], "hunter2") {
					t.Errorf("heard %q, want %q", heard.all, want)
				}
				a.set(agree)
				time.Sleep(2*time.Minute + 10*time.Second) // the longest pause, and the interval
				all := certificates(t, next)
				if all[0] != "" || all[len(all)-1] != "good" {
					t.Errorf("certificates %q: want none, and later one without another event", all)
				}
				must(t, s.Close(within(t, time.Second)))
			})
		})
	}
}

func TestCertificateThatEndsEarlyIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, next := &authority{}, &sinktest.Recorder{}
		a.set(func(_ context.Context, notAfter time.Time) (string, time.Time, error) {
			if until := time.Now().Add(time.Hour); until.Before(notAfter) {
				notAfter = until
			}
			return notAfter.Format(time.RFC3339Nano), notAfter, nil
		})
		s, err := seal.New(next, seal.Options{Component: "proxy", Authority: a})
		must(t, err)
		time.Sleep(20 * time.Hour)
		must(t, s.Close(within(t, time.Second)))
		for _, ae := range next.Events() {
			c, err := trail.ParseCheckpoint(ae.Spec.Detail)
			must(t, err)
			if until, err := time.Parse(time.RFC3339Nano, c.Certificate); err != nil || until.Before(auditing.EventTime(&ae)) {
				t.Errorf("a checkpoint of %v has a certificate until %v, %v", auditing.EventTime(&ae), until, err)
			}
		}
		if a.calls < 20 || a.calls > 50 {
			t.Errorf("asked %d times in 20 hours", a.calls)
		}
	})
}

func TestFailingAuthorityIsAskedWithPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, next := &authority{answer: fail}, &sinktest.Recorder{}
		s, err := seal.New(next, seal.Options{Component: "proxy", Authority: a, Leaves: 1})
		must(t, err)
		for i := range 3600 {
			must(t, s.Write(t.Context(), denial(i)))
			time.Sleep(time.Second)
		}
		if a.calls > 120 {
			t.Errorf("asked %d times in an hour", a.calls)
		}
		a.set(agree)
		must(t, s.Close(within(t, time.Second)))
		if all := certificates(t, next); all[len(all)-1] != "good" {
			t.Error("the last checkpoint has not asked again")
		}
	})
}
