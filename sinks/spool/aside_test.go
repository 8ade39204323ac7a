package spool_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

func TestAPoisonedEventHoldsUpNoOther(t *testing.T) {
	for _, wholly := range []bool{false, true} {
		for _, poison := range [][]string{{"ae-0"}, {"ae-37"}, {"ae-99"}, {"ae-0", "ae-1", "ae-2"}, {"ae-3", "ae-50", "ae-51"}} {
			t.Run(fmt.Sprintf("wholly=%v/%v", wholly, poison), func(t *testing.T) {
				dir, names := backlog(t, 100)
				d := &destination{batch: 32, wholly: wholly}
				d.poison(errors.New("cannot take this one"), poison...)
				s := open(t, dir, d.sink(), quick())
				others := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(poison, name) })
				eventually(t, "the others are stored", func() bool { return len(d.holds()) == len(others) })
				d.script(nil)
				drain(t, s)
				if got := d.holds(); len(got) != len(names) {
					t.Errorf("%d events were delivered, want %d", len(got), len(names))
				}
				if sum, err := spool.Stats(dir); err != nil || sum != (spool.Summary{}) {
					t.Errorf("left in the directory: %+v, %v", sum, err)
				}
			})
		}
	}
}

func TestRefusedPoisonedEventBecomesDeadLetter(t *testing.T) {
	dir, _ := backlog(t, 10)
	d := &destination{}
	d.poison(errAway, "ae-4")
	var h heard
	s := open(t, dir, d.sink(), h.listen(quick()))
	eventually(t, "the others are stored", func() bool { return len(d.holds()) == 9 })
	d.poison(driver.Permanent(errors.New("no")), "ae-4")
	drain(t, s)
	if got := h.deadLetters(); !slices.Equal(got, []string{"5-ae-4"}) {
		t.Errorf("the dead letters are %v", got)
	}
}

func TestALargePoisonedEventHoldsUpNoOther(t *testing.T) {
	d := &destination{}
	d.poison(errAway, "poison-0", "poison-1")
	opts := quick()
	opts.Parallel = 64 // which bounds a request to 64 KiB
	s := open(t, t.TempDir(), d.sink(), opts)
	for i := range 2 {
		ae := event(fmt.Sprintf("poison-%d", i))
		ae.Annotations = map[string]string{"filler": strings.Repeat("x", 100_000)}
		if err := s.Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
	}
	others := mustWrite(t, s, "ae", 10)
	eventually(t, "the others are stored", func() bool { return len(d.holds()) == len(others) })
	d.script(nil)
	drain(t, s)
}

func TestARefusedRequestIsNarrowedWithoutLongPauses(t *testing.T) {
	dir, _ := backlog(t, 1000)
	synctest.Test(t, func(t *testing.T) {
		d := &destination{batch: 1000, wholly: true}
		d.poison(errAway, "ae-0")
		s, err := spool.New(dir, d.sink(), spool.Options{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if got := len(d.holds()); got != 999 {
			t.Errorf("after 10 s %d events are stored, want 999", got)
		}
		d.script(nil)
		drain(t, s)
	})
}

func TestEventThatIsSetAsideKeepsThePauseAskedFor(t *testing.T) {
	dir, _ := backlog(t, 3)
	synctest.Test(t, func(t *testing.T) {
		d := &destination{}
		d.poison(driver.RetryAfter(errors.New("throttled"), time.Minute), "ae-1")
		s, err := spool.New(dir, d.sink(), quick())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute + time.Second)
		if got := len(d.asked()); got != 11 {
			t.Errorf("%d requests in ten minutes, want 11", got)
		}
		d.script(nil)
		drain(t, s)
	})
}

func TestAnEventThatIsSetAsideSurvivesARestart(t *testing.T) {
	dir, names := backlog(t, 50)
	d := &destination{}
	d.poison(errAway, "ae-7")
	opts := quick()
	opts.SegmentBytes = 4 << 10 // so that later events are in other files
	s := open(t, dir, d.sink(), opts)
	later := mustWrite(t, s, "later", 20)
	eventually(t, "the others are stored", func() bool { return len(d.holds()) == len(names)+len(later)-1 })
	abandon(s)
	second := &destination{}
	drain(t, open(t, dir, second.sink(), opts))
	got := second.holds()
	if len(got) == 0 || got[0] != "ae-7" {
		t.Errorf("the next process delivers %v, want ae-7 first", got)
	}
	for _, name := range later[:10] {
		if slices.Contains(got, name) {
			t.Errorf("%s is delivered again although its whole file was delivered", name)
		}
	}
	if third := namesOf(t, dir); len(third) != 0 {
		t.Errorf("the process after that delivers %v again", third)
	}
}

func TestEventsThatAreSetAsideAreBounded(t *testing.T) {
	const batch = 4
	dir, names := backlog(t, 40)
	d := &destination{batch: batch}
	d.poison(errAway, names[5:25]...)
	s := open(t, dir, d.sink(), quick())
	eventually(t, "many attempts were made", func() bool { return d.failed() > 100 })
	tried := map[string]bool{}
	for _, names := range d.asked() {
		for _, name := range names {
			tried[name] = true
		}
	}
	if waits := len(tried) - len(d.holds()); waits > 2*batch {
		t.Errorf("%d events are in memory, want at most %d set aside and as many tried", waits, batch)
	}
	d.script(nil)
	drain(t, s)
	if got := d.holds(); len(got) != len(names) {
		t.Errorf("%d events were delivered, want %d", len(got), len(names))
	}
}
