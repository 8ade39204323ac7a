package seal_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/multi"
	"github.com/paddock-dev/audit/sinks/retry"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/verify"
)

// forgetful stores events, and loses the first answer about each.
type forgetful struct {
	*sinktest.Recorder
}

func (f forgetful) Driver() (driver.Driver, auditing.Sink) {
	d, _ := f.Recorder.Driver()
	return &losing{Driver: d, seen: map[string]bool{}}, f
}

// losing loses the first answer of each event. Its callers write one event after the other.
type losing struct {
	driver.Driver

	seen map[string]bool
}

func (l *losing) Store(ctx context.Context, events []*driver.Event) []error {
	errs := l.Driver.Store(ctx, events)
	if e := events[0]; !e.OfTrail() && !l.seen[e.Name()] {
		l.seen[e.Name()] = true
		return driver.All(len(events), errors.New("the answer was lost"))
	}
	return errs
}

func TestLostAnswersAreNoAlarm(t *testing.T) {
	a, all := newAuditor(t, time.Time{}), &sinktest.Recorder{}
	next, err := retry.New(forgetful{all}, retry.Options{MinBackoff: time.Millisecond})
	must(t, err)
	s := sealed(t, next, a.options())
	for i := range 20 {
		ae := denial(i)
		must(t, s.Write(t.Context(), ae))
		must(t, s.Write(t.Context(), ae)) // the caller's own retry
	}
	must(t, s.Close(within(t, 10*time.Second)))
	if r := a.mustBeIntact(t, stored{"all", all.Events()}); r.Trails[0].Intact < 21 {
		t.Errorf("%d are intact", r.Trails[0].Intact)
	}
}

func TestRotationAndReplicasAreNoAlarm(t *testing.T) {
	a, all := newAuditor(t, time.Now().Add(-time.Minute)), &sinktest.Recorder{}
	old := denial(999) // of before the upgrade
	old.Spec.Timestamp = metav1.NewTime(time.Now().Add(-time.Hour))
	old.Labels = map[string]string{"paddock.dev/component": "proxy"}
	must(t, all.Write(t.Context(), old))
	events := all.Events()
	for replica := range 3 {
		next, opts := &sinktest.Recorder{}, a.options()
		opts.MaxEvents = 10
		s := sealed(t, next, opts)
		for i := range 35 {
			must(t, s.Write(t.Context(), denial(100*replica+i)))
		}
		must(t, s.Close(within(t, 10*time.Second)))
		events = append(events, next.Events()...)
	}
	if r := a.mustBeIntact(t, stored{"all", events}); len(r.Trails) < 9 || r.Unsealed != 1 {
		t.Errorf("%d trails, and %d events without a seal", len(r.Trails), r.Unsealed)
	}
}

// The component's clock steps between checkpoints, also out of the time of its first certificate.
func TestClockStepsOfTheComponentAreNoAlarm(t *testing.T) {
	const hour, day = time.Hour, 24 * time.Hour
	for _, steps := range [][]time.Duration{{0, -hour, hour, 0}, {0, -3 * day, 0}, {0, 3 * day, 0}, {10 * day, 0, 20 * day, -10 * day}} {
		a, all := newAuditor(t, time.Time{}), &sinktest.Recorder{}
		var step atomic.Int64
		opts := a.options()
		opts.SetClock(func() time.Time { return time.Now().Add(time.Duration(step.Load())) })
		step.Store(int64(steps[0]))
		s := sealed(t, all, opts)
		for i := range steps {
			step.Store(int64(steps[i]))
			must(t, s.Write(t.Context(), denial(i)))
			must(t, s.Wait(within(t, 10*time.Second)))
		}
		must(t, s.Close(within(t, 10*time.Second)))
		if a.mustBeIntact(t, stored{"all", all.Events()}); t.Failed() {
			t.Fatal(steps)
		}
	}
}

func TestClockStepsAreNoAlarm(t *testing.T) {
	a, all := newAuditor(t, time.Time{}), &sinktest.Recorder{}
	s := sealed(t, all, a.options())
	for i, step := range []time.Duration{0, 20 * 365 * 24 * time.Hour, -20 * 365 * 24 * time.Hour, time.Hour, 0} {
		ae := denial(i)
		ae.Spec.Timestamp = metav1.NewTime(time.Now().Add(step))
		must(t, s.Write(t.Context(), ae))
		must(t, s.Wait(within(t, 10*time.Second)))
	}
	must(t, s.Close(within(t, 10*time.Second)))
	a.mustBeIntact(t, stored{"all", all.Events()})
}

// A rolling update: replicas of one component start and stop while others write to the same place. The first
// one does not seal yet.
func TestReplicasThatOverlapAreNoAlarm(t *testing.T) {
	all := lasting{choosy{&sinktest.Recorder{}, "nothing"}}
	before := driver.New(driver.Of(all))
	unsealed := denial(0)
	unsealed.Labels = map[string]string{"paddock.dev/component": "proxy"}
	must(t, before.Write(t.Context(), unsealed))
	a := newAuditor(t, time.Now())
	var writers sync.WaitGroup
	var running []*seal.Sink
	for replica := range 6 {
		opts := a.options()
		opts.MaxEvents = 15
		s := sealed(t, all, opts)
		writers.Go(func() {
			for i := range 40 {
				if err := s.Write(t.Context(), denial(100*replica+i)); err != nil {
					t.Error(err)
				}
			}
		})
		running = append(running, s)
		must(t, s.Wait(within(t, 10*time.Second))) // it is ready
	}
	writers.Wait()
	for _, s := range running {
		for _, open := range running {
			must(t, open.Wait(within(t, 10*time.Second)))
		}
		a.mustBeIntact(t, stored{"all", all.Events()})
		must(t, s.Close(within(t, 10*time.Second)))
	}
	if r := a.mustBeIntact(t, stored{"all", all.Events()}); r.Unsealed != 1 || len(r.Trails) < 12 {
		t.Errorf("%d events are not sealed, %d trails", r.Unsealed, len(r.Trails))
	}
}

// An event keeps its seal when it is written again after its trail was closed, by the same process or another one. The
// trail says that it failed, or that nobody knows.
func TestARetryBehindTheEndOfItsTrailIsNoAlarm(t *testing.T) {
	a := newAuditor(t, time.Now())
	first, second := lasting{choosy{&sinktest.Recorder{}, "nothing"}}, lasting{choosy{&sinktest.Recorder{}, "nothing"}}
	opts := a.options()
	opts.MaxEvents = 6
	life := func() *seal.Sink {
		next, err := multi.New([]multi.Child{{Name: "first", Sink: first}, {Name: "second", Sink: second}}, multi.Options{})
		must(t, err)
		return sealed(t, next, opts)
	}
	s := life()
	var failed []*v1alpha1.AuditEvent
	for i, err := range []error{driver.Permanent(errors.New("refused")), errors.New("no answer"), driver.Permanent(errors.New("refused"))} {
		second.FailWith(err) // the first one stores it
		ae := denial(i)
		if s.Write(t.Context(), ae) == nil {
			t.Fatal("the write did not fail")
		}
		failed = append(failed, ae)
	}
	second.FailWith(nil)
	all := func() *verify.Report {
		return a.mustBeIntact(t, stored{"first", first.Events()}, stored{"second", second.Events()})
	}
	must(t, s.Wait(within(t, 10*time.Second)))
	for i := 10; i < 20; i++ {
		must(t, s.Write(t.Context(), denial(i)))
	}
	must(t, s.Wait(within(t, 10*time.Second)))
	all()
	before := failed[0].Annotations[v1alpha1.AnnotationSeal]
	must(t, s.Write(t.Context(), failed[0])) // its trail is closed
	must(t, s.Close(within(t, 10*time.Second)))
	all()
	other := life()
	must(t, other.Write(t.Context(), failed[1]))
	must(t, other.Close(within(t, 10*time.Second)))
	r := all()
	if failed[0].Annotations[v1alpha1.AnnotationSeal] != before || !r.Trails[0].Closed || len(r.Trails) < 3 {
		t.Errorf("%+v", r.Trails)
	}
}

// A trail begins before it is needed, so that a process that is killed at its begin leaves no event for whose key
// nobody vouches.
func TestAKillAtTheBeginOfALaterTrailIsNoAlarm(t *testing.T) {
	a, all := newAuditor(t, time.Now()), &sinktest.Recorder{}
	opts := a.options()
	opts.MaxEvents = 32
	s := sealed(t, all, opts)
	for i := range 70 {
		must(t, s.Wait(within(t, 10*time.Second)))
		must(t, s.Write(t.Context(), denial(i)))
		if a.mustBeIntact(t, stored{"all", all.Events()}); t.Failed() {
			t.Fatalf("killed after %d events", i+1)
		}
	}
	must(t, s.Close(within(t, 10*time.Second)))
	if r := a.mustBeIntact(t, stored{"all", all.Events()}); len(r.Trails) < 3 {
		t.Errorf("%d trails", len(r.Trails))
	}
}

// A trail that is old goes on until the next one is open.
func TestAKillWhileNoTrailCanBeOpenedIsNoAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, all := newAuditor(t, time.Now()), &checkpointsFail{Recorder: &sinktest.Recorder{}}
		opts := a.options()
		opts.MaxAge = time.Hour
		s, err := seal.New(all, opts)
		must(t, err)
		time.Sleep(59 * time.Minute)
		all.fail.Store(true)
		time.Sleep(2 * time.Minute)
		for i := range 6 {
			all.fail.Store(i < 3)
			must(t, s.Write(t.Context(), denial(i)))
			time.Sleep(2 * time.Minute)
			if a.mustBeIntact(t, stored{"all", all.Events()}); t.Failed() {
				t.Fatalf("killed after %d events", i+1)
			}
		}
		must(t, s.Close(within(t, time.Minute)))
		if r := a.mustBeIntact(t, stored{"all", all.Events()}); len(r.Trails) != 2 {
			t.Errorf("%d trails", len(r.Trails))
		}
	})
}
