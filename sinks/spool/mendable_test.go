package spool_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

var errForbidden = driver.Mendable(errors.New("forbidden"))

func TestMendableRefusalIsTriedAgainAndNotBuried(t *testing.T) {
	dir, names := backlog(t, 20)
	to := &destination{}
	to.script(func(string) error { return errForbidden })
	var h heard
	s := open(t, dir, to.sink(), h.listen(quick()))
	eventually(t, "all are refused, some twice", func() bool { return to.failed() > 2*len(names) })
	to.script(nil)
	drain(t, s)
	got := to.holds() // in another order, when it comes back between the oldest and a later one
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) || len(h.deadLetters()) > 0 {
		t.Errorf("delivered %v, want %v; dead letters: %v", got, names, h.deadLetters())
	}
}

func TestMendableRefusalIsBuriedAfterTheStatedTime(t *testing.T) {
	dir, names := backlog(t, 3)
	to := &destination{}
	to.poison(errForbidden, names[1])
	var h heard
	opts := h.listen(quick())
	opts.BuryAfter = 300 * time.Millisecond
	start := time.Now()
	drain(t, open(t, dir, to.sink(), opts))
	if took := time.Since(start); took < opts.BuryAfter || len(h.deadLetters()) != 1 {
		t.Errorf("after %s the dead letters are %v, want one after %s", took, h.deadLetters(), opts.BuryAfter)
	}
	if got := to.holds(); !slices.Equal(got, []string{names[0], names[2]}) {
		t.Errorf("delivered %v, want the others", got)
	}
}

func TestMendableRefusalsHoldUpNoOtherEvent(t *testing.T) {
	const n = 600 // more than are set aside at once
	dir, names := backlog(t, n)
	to := &destination{batch: 100}
	to.script(func(name string) error {
		if i := slices.Index(names, name); i%2 == 0 {
			return errForbidden
		}
		return nil
	})
	s := open(t, dir, to.sink(), quick())
	eventually(t, "every other event is delivered", func() bool { return len(to.holds()) == n/2 })
	abandon(s)
	letters, err := spool.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := spool.Stats(dir); err != nil || int(sum.Depth)+len(letters) < n/2 {
		t.Errorf("%d wait and %d are dead letters (%v), want %d of both", sum.Depth, len(letters), err, n/2)
	}
}
