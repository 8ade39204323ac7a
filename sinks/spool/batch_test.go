package spool_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/spool"
)

func TestABacklogArrivesInFewRequestsAndInOrder(t *testing.T) {
	for batch, want := range map[int]int{0: 1, 256: 4, 1: 1000} {
		dir, names := backlog(t, 1000)
		d := &destination{batch: batch}
		drain(t, open(t, dir, d.sink(), quick()))
		if got := d.asked(); len(got) != want || !slices.Equal(d.holds(), names) {
			t.Errorf("a destination of %d an answer was sent %d requests, want %d, and all in order", batch, len(got), want)
		}
	}
}

func TestARequestHoldsAtMost4MiB(t *testing.T) {
	dir := t.TempDir()
	d := &destination{}
	d.leave()
	s := open(t, dir, d.sink(), quick())
	var events []*driver.Event
	for i := range 1000 {
		e, err := driver.Prepare(large(fmt.Sprintf("ae-%d", i)), "") // 10 KB
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	if errs := driver.Of(s).Store(t.Context(), events); errs != nil {
		t.Fatal(errors.Join(errs...))
	}
	abandon(s)
	d = &destination{}
	drain(t, open(t, dir, d.sink(), quick()))
	for _, names := range d.asked() {
		if len(names) > 420 {
			t.Errorf("a request held %d events of 10 KB", len(names))
		}
	}
	if got := d.asked(); len(got) != 3 {
		t.Errorf("10 MB came in %d requests, want 3", len(got))
	}
}

func TestEachEventOfABatchHasItsOwnOutcome(t *testing.T) {
	dir, names := backlog(t, 6)
	twice := 0
	d := &destination{fault: func(name string) error {
		switch name {
		case "ae-1":
			return driver.Permanent(errors.New("too old"))
		case "ae-2":
			return driver.WithClass(auditing.ClassInvalid, errors.New("no namespace"))
		case "ae-4":
			if twice++; twice <= 2 {
				return errAway
			}
		}
		return nil
	}}
	var h heard
	drain(t, open(t, dir, d.sink(), h.listen(quick())))
	if got, want := d.holds(), []string{"ae-0", "ae-3", "ae-5", "ae-4"}; !slices.Equal(got, want) {
		t.Errorf("the destination holds %v, want %v", got, want)
	}
	if got, want := d.asked(), [][]string{names, {"ae-4"}, {"ae-4"}}; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the requests were %v, want %v", got, want)
	}
	if got, want := h.deadLetters(), []string{"2-ae-1", "3-ae-2"}; !slices.Equal(got, want) {
		t.Errorf("the dead letters are %v, want %v", got, want)
	}
	if h.failures() != d.failed() {
		t.Errorf("OnFailure heard of %d failures, want %d", h.failures(), d.failed())
	}
}

func TestRefusedRequestBuriesOnlyTheBadEvent(t *testing.T) {
	for _, panics := range []bool{false, true} {
		dir, names := backlog(t, 100)
		d := &destination{wholly: true, fault: func(name string) error {
			if name != "ae-42" {
				return nil
			}
			if panics {
				panic("an unexpected event")
			}
			return driver.Permanent(errors.New("400: bad request"))
		}}
		var h heard
		drain(t, open(t, dir, d.sink(), h.listen(quick())))
		if got, want := d.holds(), slices.Delete(slices.Clone(names), 42, 43); !slices.Equal(got, want) {
			t.Errorf("the destination holds %v, want all but ae-42 in order", got)
		}
		if got := h.deadLetters(); !slices.Equal(got, []string{"43-ae-42"}) {
			t.Errorf("the dead letters are %v", got)
		}
	}
}

func TestAnOutageKeepsTheOrder(t *testing.T) {
	for _, from := range []int{0, 20} { // the first event that the destination is away for
		dir, names := backlog(t, 60)
		synctest.Test(t, func(t *testing.T) {
			d := &destination{batch: 32}
			d.script(func(name string) error {
				if slices.Index(names, name) >= from {
					return errAway
				}
				return nil
			})
			s, err := spool.New(dir, d.sink(), spool.Options{})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Hour) // of the bubble
			if got := len(d.asked()); got > 1000 {
				t.Errorf("%d requests in two hours, want a pause between them", got)
			}
			d.script(nil)
			drain(t, s)
			if got := d.holds(); !slices.Equal(got, names) {
				t.Errorf("the destination holds %v, want them in order", got)
			}
		})
	}
}

// During an outage requests hold one event, to tell a bad event from a destination that is away.
func TestRequestsGrowSoonAfterAnOutage(t *testing.T) {
	dir, names := backlog(t, 1000)
	synctest.Test(t, func(t *testing.T) {
		d := &destination{batch: 1000}
		d.leave()
		s, err := spool.New(dir, d.sink(), spool.Options{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // of the bubble
		away := len(d.asked())
		d.script(nil)
		drain(t, s)
		if got := d.holds(); !slices.Equal(got, names) {
			t.Errorf("the destination holds %d events, want %d in order", len(got), len(names))
		}
		if got := len(d.asked()) - away; got > 6 {
			t.Errorf("1,000 events came in %d requests after the outage, want at most 6", got)
		}
	})
}

func TestAStoreOfManyEventsSharesAnFsync(t *testing.T) {
	disk := &spool.FaultyDisk{}
	var syncs atomic.Int64
	disk.Set(spool.Fault{On: func(op, path string) error {
		if op == "sync" && filepath.Ext(path) == ".seg" {
			syncs.Add(1)
		}
		return nil
	}})
	d := &destination{}
	s := open(t, t.TempDir(), d.sink(), disk.On(quick()))
	mustWrite(t, s, "first", 1)
	syncs.Store(0)
	events, names := prepared(t, "ae", 500)
	if errs := driver.Of(s).Store(t.Context(), events); errs != nil {
		t.Fatal(errors.Join(errs...))
	}
	if n := syncs.Load(); n > 3 { // one, unless the committer was just looking
		t.Errorf("500 events took %d fsyncs", n)
	}
	drain(t, s)
	if got := d.holds()[1:]; !slices.Equal(got, names) {
		t.Errorf("the destination holds %v, want them in order", got)
	}
}

func TestEachEventOfAStoreHasItsOwnOutcome(t *testing.T) {
	d := &destination{}
	s := open(t, t.TempDir(), d.sink(), quick())
	events, names := prepared(t, "ae", 2)
	tooLarge, err := driver.Prepare(giant(), "")
	if err != nil {
		t.Fatal(err)
	}
	errs := driver.Of(s).Store(t.Context(), []*driver.Event{events[0], tooLarge, events[1]})
	if len(errs) != 3 || errs[0] != nil || errs[2] != nil {
		t.Fatalf("the outcomes are %.200v, want an error of the second", errs)
	}
	mustFail(t, errs[1], auditing.ClassPermanent, nil)
	drain(t, s)
	if got := d.holds(); !slices.Equal(got, names) {
		t.Errorf("the destination holds %v, want %v", got, names)
	}
	for _, err := range driver.Of(s).Store(t.Context(), events) {
		mustFail(t, err, auditing.ClassClosed, nil)
	}
}

func TestARequeuedLetterIsNotCountedAsANewEvent(t *testing.T) {
	reg := prometheus.NewRegistry()
	if err := auditing.RegisterMetrics(reg); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s, r, id := refusal(t, dir)
	before := sum(t, reg, "paddock_audit_events_total")
	if err := spool.Requeue(dir, id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the letter is delivered", func() bool { return len(r.Events()) == 2 })
	drain(t, s)
	if after := sum(t, reg, "paddock_audit_events_total"); before == 0 || after != before {
		t.Errorf("%v events were counted and %v after a requeue, want as many", before, after)
	}
}

func TestInfoComesFromTheNextSink(t *testing.T) {
	s := open(t, t.TempDir(), kube.Sink{Component: "broker"}, quick())
	info := driver.Of(s).Info()
	if info.Component != "broker" || !info.Namespaced || info.Repeats != driver.RepeatsRecognised || info.Chain != "spool(kube)" {
		t.Errorf("Info is %+v", info)
	}
	opts := quick()
	opts.Component = "proxy"
	if _, err := spool.New(t.TempDir(), kube.Sink{Component: "broker"}, opts); err == nil || !strings.Contains(err.Error(), "two components") {
		t.Errorf("New with two components: %v", err)
	}
}

func TestCheckAsksTheNextSink(t *testing.T) {
	s := open(t, t.TempDir(), driver.New(unready{&destination{}}), quick())
	if err := auditing.Check(t.Context(), s); !errors.Is(err, errAway) {
		t.Errorf("Check: %v, want the error of the destination", err)
	}
}

type unready struct{ *destination }

func (unready) Check(context.Context) error { return errAway }
