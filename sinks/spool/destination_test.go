package spool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

var errAway = errors.New("away")

// destination takes batches in order, and its faults can be scripted.
type destination struct {
	driver.Base
	batch int           // of its Info
	took  time.Duration // for a request
	// wholly says that the fault of one event fails its whole request.
	wholly bool

	mu       sync.Mutex
	fault    func(name string) error // asked for each event; nil takes them all
	requests [][]string              // the names in each
	stored   []string                // in order; a repeat is left out
	seen     map[string]bool         // of stored
	failures int                     // outcomes that were errors
	now      int                     // requests under way
	most     int                     // of them at once
}

func (d *destination) Info() driver.Info {
	return driver.Info{Name: "destination", Level: auditing.LevelAcknowledged, Batch: d.batch, Repeats: driver.RepeatsRecognised}
}

// sink returns the destination as New takes it.
func (d *destination) sink() auditing.Sink {
	d.seen = map[string]bool{}
	return driver.New(d)
}

// script replaces the fault.
func (d *destination) script(fault func(name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fault
}

// poison makes the events of these names fail with err.
func (d *destination) poison(err error, names ...string) {
	d.script(func(name string) error {
		if slices.Contains(names, name) {
			return err
		}
		return nil
	})
}

// leave makes every event fail.
func (d *destination) leave() { d.script(func(string) error { return errAway }) }

func (d *destination) Store(_ context.Context, events []*driver.Event) []error {
	d.begin()
	time.Sleep(d.took)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now--
	errs := make([]error, len(events))
	names := make([]string, len(events))
	var first error
	for i, e := range events {
		names[i] = e.Name()
		if d.fault != nil {
			errs[i] = d.fault(e.Name())
		}
		if first == nil {
			first = errs[i]
		}
	}
	d.requests = append(d.requests, names)
	if d.wholly && first != nil {
		errs = driver.All(len(events), first)
	}
	for i, err := range errs {
		if err != nil {
			d.failures++
			continue
		}
		if !d.seen[names[i]] {
			d.seen[names[i]] = true
			d.stored = append(d.stored, names[i])
		}
	}
	return errs
}

func (d *destination) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now++
	d.most = max(d.most, d.now)
}

func (d *destination) holds() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.stored)
}

func (d *destination) asked() [][]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.requests)
}

func (d *destination) failed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failures
}

// prepared returns events named prefix-0, prefix-1, ... and their names.
func prepared(tb testing.TB, prefix string, n int) (events []*driver.Event, names []string) {
	tb.Helper()
	for i := range n {
		names = append(names, fmt.Sprintf("%s-%d", prefix, i))
		e, err := driver.Prepare(event(names[i]), "")
		if err != nil {
			tb.Fatal(err)
		}
		events = append(events, e)
	}
	return events, names
}

// backlog returns a directory in which n events wait, named ae-0, ae-1, ...
func backlog(tb testing.TB, n int) (dir string, names []string) {
	tb.Helper()
	dir = tb.TempDir()
	away := &destination{}
	away.leave()
	s, err := spool.New(dir, away.sink(), quick())
	if err != nil {
		tb.Fatal(err)
	}
	defer abandon(s)
	events, names := prepared(tb, "ae", n)
	if errs := driver.Of(s).Store(tb.Context(), events); errs != nil {
		tb.Fatal(errors.Join(errs...))
	}
	return dir, names
}
