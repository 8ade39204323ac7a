package seal_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/sinks/multi"
	"github.com/paddock-dev/audit/sinks/retry"
	"github.com/paddock-dev/audit/sinks/route"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/sinks/spool"
)

// choosy is a destination that refuses events whose host begins so.
type choosy struct {
	*sinktest.Recorder

	refused string
}

func (c choosy) Driver() (driver.Driver, auditing.Sink) {
	d, _ := c.Recorder.Driver()
	return choosing{d, c}, c
}

type choosing struct {
	driver.Driver

	of choosy
}

func (c choosing) Store(ctx context.Context, events []*driver.Event) []error {
	errs := make([]error, len(events))
	for i, e := range events {
		if to := e.Spec().Destination; to != nil && strings.HasPrefix(to.Host, c.of.refused) {
			errs[i] = driver.Permanent(errors.New("refused"))
		} else {
			errs[i] = errors.Join(c.Driver.Store(ctx, e.Alone())...)
		}
	}
	return errs
}

func TestWhatABestEffortChildLacksIsDeclared(t *testing.T) {
	all, lake := &sinktest.Recorder{}, choosy{&sinktest.Recorder{}, "host-3"}
	next, err := multi.New([]multi.Child{{Name: "cluster", Sink: all}, {Name: "lake", Sink: lake}}, multi.Options{Require: multi.Named("cluster")})
	must(t, err)
	checkDeclared(t, sealed(t, next, seal.Options{Interval: time.Millisecond}), all, lake.Recorder, "lake")
}

func TestDeadLettersOfASpoolAreDeclared(t *testing.T) {
	all, lake := &sinktest.Recorder{}, choosy{&sinktest.Recorder{}, "host-3"}
	spooled, err := spool.New(t.TempDir(), lake, spool.Options{Place: "lake", MinBackoff: time.Millisecond})
	must(t, err)
	next, err := multi.New([]multi.Child{{Name: "cluster", Sink: all}, {Name: "spool", Sink: spooled}}, multi.Options{})
	must(t, err)
	s := sealed(t, next, seal.Options{Interval: time.Millisecond})
	checkDeclared(t, s, all, lake.Recorder, "lake")
}

// lasting is a destination that outlives the processes that write to it.
type lasting struct{ choosy }

func (l lasting) Driver() (driver.Driver, auditing.Sink) {
	d, _ := l.choosy.Driver()
	return unclosed{d}, l
}

type unclosed struct{ driver.Driver }

func (unclosed) Close(context.Context) error { return nil }

// A process that closes or is killed may leave dead letters of which no checkpoint tells, and so may a
// process without a seal that drains the spool.
func TestDeadLettersOfAnEarlierProcessAreDeclared(t *testing.T) {
	a, dir := newAuditor(t, time.Time{}), t.TempDir()
	all, lake := lasting{choosy{&sinktest.Recorder{}, "nothing"}}, lasting{choosy{&sinktest.Recorder{}, "host-3"}}
	opened := func() *spool.Sink {
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			s, err := spool.New(dir, lake, spool.Options{Place: "lake", MinBackoff: time.Millisecond})
			if err == nil || time.Now().After(deadline) { // the one before may be on its way out
				must(t, err)
				return s
			}
		}
	}
	life := func() *seal.Sink {
		next, err := multi.New([]multi.Child{{Name: "cluster", Sink: all}, {Name: "spool", Sink: opened()}}, multi.Options{})
		must(t, err)
		return sealed(t, next, a.options())
	}
	lake.FailWith(errors.New("away"))
	s := life()
	for i := range 5 {
		must(t, s.Write(t.Context(), denial(i)))
	}
	must(t, s.Wait(within(t, 10*time.Second)))
	if err := s.Close(within(t, 50*time.Millisecond)); err == nil {
		t.Fatal("the spool was closed empty")
	}
	lake.FailWith(nil)
	must(t, opened().Close(within(t, 10*time.Second)))
	if letters, err := spool.List(dir); err != nil || len(letters) != 1 {
		t.Fatalf("%d dead letters: %v", len(letters), err)
	}
	for range 2 { // it is harmless to declare it again
		must(t, life().Close(within(t, 10*time.Second)))
		a.mustBeIntact(t, stored{"cluster", all.Events()}, stored{"lake", lake.Events()})
	}
}

func TestWhatTurnsOutToBeLackingWhileClosingIsDeclared(t *testing.T) {
	for name, make := range map[string]func(lake choosy) (multi.Child, func()){
		"a spool": func(lake choosy) (multi.Child, func()) {
			lake.FailWith(errors.New("away"))
			spooled, err := spool.New(t.TempDir(), lake, spool.Options{Place: "lake", MinBackoff: 50 * time.Millisecond})
			must(t, err)
			retried, err := retry.New(spooled, retry.Options{})
			must(t, err)
			return multi.Child{Name: "spool", Sink: retried}, func() { lake.FailWith(nil) }
		},
		"a child that need not succeed": func(lake choosy) (multi.Child, func()) {
			release := lake.Hang()
			return multi.Child{Name: "lake", Sink: lake}, func() { time.AfterFunc(50*time.Millisecond, release) }
		},
	} {
		a, all, lake := newAuditor(t, time.Time{}), &sinktest.Recorder{}, choosy{&sinktest.Recorder{}, "host-3"}
		child, back := make(lake)
		next, err := multi.New([]multi.Child{{Name: "cluster", Sink: all}, child}, multi.Options{Require: multi.Named("cluster")})
		must(t, err)
		s := sealed(t, next, a.options())
		for i := range 5 {
			must(t, s.Write(t.Context(), denial(i)))
		}
		back()
		must(t, s.Close(within(t, 10*time.Second)))
		if a.mustBeIntact(t, stored{"cluster", all.Events()}, stored{"lake", lake.Events()}); t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestWhatARouteSendsElsewhereIsDeclared(t *testing.T) {
	some, rest := &sinktest.Recorder{}, &sinktest.Recorder{}
	next, err := route.New([]route.Route{
		{Kinds: []string{"egress-*"}, Sink: some, Place: "proxies"},
		{Sink: rest, Place: "others"},
	}, route.Options{})
	must(t, err)
	s := sealed(t, next, seal.Options{})
	egress, run := denial(1), auditing.NewRunCompleted(auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"})
	must(t, s.Write(t.Context(), egress))
	must(t, s.Write(t.Context(), run))
	must(t, s.Close(within(t, 10*time.Second)))
	for name, c := range map[string]struct {
		got   *sinktest.Recorder
		lacks *v1alpha1.AuditEvent
	}{"proxies": {some, run}, "others": {rest, egress}} {
		p := only(t, prove(t, c.got.Events()))
		missing := indexOf(t, c.lacks)
		if p.names[missing] != "" || !lacksOf(p, name).Has(missing) || lacksOf(p, name).Len() != 1 {
			t.Errorf("%s: declared are %v, want %d", name, p.lacks, missing)
		}
	}
}

// lacksOf returns what a place lacks of any trail.
func lacksOf(p *proven, place string) (ranges trail.Ranges) {
	for key, one := range p.lacks {
		if strings.HasSuffix(key, " "+place) {
			ranges.AddAll(one)
		}
	}
	return ranges
}

// checkDeclared writes events of which one place lacks some, and checks that exactly those
// are declared.
func checkDeclared(t *testing.T, s *seal.Sink, all, lake *sinktest.Recorder, place string) {
	t.Helper()
	var lacking trail.Ranges
	for i := range 50 {
		ae := denial(i)
		must(t, s.Write(t.Context(), ae))
		if strings.HasPrefix(ae.Spec.Destination.Host, "host-3") {
			lacking.Add(indexOf(t, ae))
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		must(t, s.Wait(within(t, 10*time.Second)))
		p := only(t, prove(t, all.Events()))
		if lacksOf(p, place).String() == lacking.String() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("declared are %v, want %v", p.lacks, lacking)
		}
	}
	must(t, s.Close(within(t, 10*time.Second)))
	p := only(t, prove(t, lake.Events()))
	for i := range p.size - 1 {
		if missing := p.names[i] == ""; missing != lacking.Has(i) {
			t.Errorf("index %d of the lake is missing: %v", i, missing)
		}
	}
}
