package sinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// The clauses of driver.Driver test the driver that driver.Of returns for the sink,
// which is the driver that a stage in front of the sink would call. For a sink without
// a driver, driver.Of returns an adapter that writes the events one by one.
var batchClauses = []Clause{{
	Name: "gives each event of a batch its own outcome",
	Explanation: `Store of several events stores each of them, and says of each what became of it: nil
for all, or one outcome at each event's place. One event that the destination refuses
fails alone. When the destination is down, every outcome is an error.`,
	check: givesEachItsOutcome,
}, {
	Name: "leaves the batch as it is",
	Explanation: `Others read the slice that Store is given, at the same time, and it is used again
once Store has returned: a driver neither changes nor keeps it, and appends nothing
to it. Nor does it change the events, which it may keep.`,
	check: leavesTheBatch,
}}

// batchSize is how many events the suite stores with one call, unless the driver takes
// fewer.
const batchSize = 40

// batch returns events that are ready to store, each with its name as its reason.
func (p *probe) batch(info driver.Info) ([]*driver.Event, error) {
	n := batchSize
	if info.Batch > 0 {
		n = min(n, info.Batch)
	}
	events := make([]*driver.Event, n)
	for i := range events {
		ae := p.event()
		ae.Spec.Reason = ae.Name
		var err error
		if events[i], err = driver.Prepare(ae, info.Component); err != nil {
			return nil, fmt.Errorf("the driver's Info: %w", err)
		}
	}
	return events, nil
}

func namesOf(events []*driver.Event) []string {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = e.Name()
	}
	return names
}

// store calls Store. It returns an error when Store panics, or has not returned after
// the harness' Patience.
func (p *probe) store(ctx context.Context, d driver.Driver, events []*driver.Event) (outcomes []error, broken error) {
	return p.storeWithin(ctx, d, events, p.h.Patience)
}

// storeWithin is store with a limit other than Patience.
func (p *probe) storeWithin(ctx context.Context, d driver.Driver, events []*driver.Event, limit time.Duration) (outcomes []error, broken error) {
	answer := make(chan []error, 1)
	_, broken = p.bounded("Store", limit, func() error {
		answer <- d.Store(ctx, events)
		return nil
	})
	if broken != nil {
		return nil, broken
	}
	if outcomes = <-answer; outcomes == nil {
		outcomes = make([]error, len(events))
	}
	return outcomes, nil
}

// mustStore stores valid events, and returns an error when the driver refuses one.
func (p *probe) mustStore(d driver.Driver, events []*driver.Event) error {
	outcomes, broken := p.store(p.ctx, d, events)
	if broken != nil {
		return broken
	}
	for i, err := range outcomes {
		if err != nil {
			return fmt.Errorf("Store of %d valid events: event %d failed: %w", len(events), i, err)
		}
	}
	return nil
}

// openDriver makes a fresh subject and finds its driver.
func (p *probe) openDriver() (Subject, driver.Driver, error) {
	subject, err := p.open()
	if err != nil {
		return Subject{}, nil, err
	}
	return subject, driver.Of(subject.Sink), nil
}

func givesEachItsOutcome(p *probe) error {
	subject, d, err := p.openDriver()
	if err != nil {
		return err
	}
	events, err := p.batch(d.Info())
	if err != nil {
		return err
	}
	if err := p.mustStore(d, events); err != nil {
		return err
	}
	found, err := p.read(subject, namesOf(events))
	if err != nil {
		return err
	}
	for i := range found {
		if found[i].Spec.Reason != found[i].Name {
			return fmt.Errorf("event %d is stored with the reason %q of another", i, found[i].Spec.Reason)
		}
	}
	if d.Info().Repeats == driver.RepeatsRecognised {
		if err := p.refusesOneAlone(subject, d, events[0]); err != nil {
			return err
		}
	}
	return p.failsEach()
}

// refusesOneAlone stores a batch in which one event has the name of a stored event
// with other content. Only that event may fail.
func (p *probe) refusesOneAlone(subject Subject, d driver.Driver, taken *driver.Event) error {
	events, err := p.batch(d.Info())
	if err != nil {
		return err
	}
	at := len(events) / 2
	other := taken.Object()
	other.Spec.Reason = "another event under a name that is taken"
	if events[at], err = driver.Prepare(other, d.Info().Component); err != nil {
		return err
	}
	outcomes, broken := p.store(p.ctx, d, events)
	if broken != nil {
		return broken
	}
	for i, err := range outcomes {
		if i != at && err != nil {
			return fmt.Errorf("of %d events one has a name that is taken, and another one failed: %w", len(events), err)
		}
	}
	if _, err := p.read(subject, slices.Delete(namesOf(events), at, at+1)); err != nil {
		return fmt.Errorf("of %d events one has a name that is taken: %w", len(events), err)
	}
	answered := outcomes[at] == nil && d.Info().Level >= auditing.LevelAcknowledged
	if !answered { // the event was refused, or the destination has not been asked about it yet
		return nil
	}
	return p.awaits(subject, "an event was stored with nil, and the destination has another under its name", func(ae *v1alpha1.AuditEvent) bool {
		return ae.Name == other.Name && ae.Spec.Reason == other.Spec.Reason
	})
}

// failsEach stores a batch in a destination that fails. Each event must fail.
func (p *probe) failsEach() error {
	if p.h.Failing == nil {
		return nil
	}
	fault, err := p.failing()
	if err != nil {
		return err
	}
	d := driver.Of(fault.Sink)
	events, err := p.batch(d.Info())
	if err != nil {
		return err
	}
	outcomes, broken := p.store(p.ctx, d, events)
	if broken != nil {
		return broken
	}
	for i, err := range outcomes {
		var we *auditing.WriteError
		switch {
		case err == nil:
			return fmt.Errorf("the destination is out of order, and the outcome of event %d of %d is nil", i, len(events))
		case !errors.As(err, &we) || we.Event != events[i].Ref():
			return fmt.Errorf("the outcome of event %d is not of %s: %w", i, events[i].Ref(), err)
		}
	}
	return nil
}

// awaits waits until the destination holds an event for which is returns true.
func (p *probe) awaits(subject Subject, otherwise string, is func(*v1alpha1.AuditEvent) bool) error {
	ctx, cancel := context.WithTimeout(p.ctx, p.h.Patience)
	defer cancel()
	for wait := firstPoll; ; wait = min(2*wait, lastPoll) {
		all, err := subject.Stored(ctx)
		if err != nil {
			return fmt.Errorf("subject: Stored: %w", err)
		}
		for i := range all {
			if is(&all[i]) {
				return nil
			}
		}
		if !pause(ctx, wait) {
			return errors.New(otherwise)
		}
	}
}

func leavesTheBatch(p *probe) error {
	subject, d, err := p.openDriver()
	if err != nil {
		return err
	}
	events, given, check, err := p.watched(d)
	if err != nil {
		return err
	}
	read := make(chan struct{})
	go func() { // as another sink of a fan-out would
		defer close(read)
		_ = namesOf(given)
	}()
	err = p.mustStore(d, given)
	<-read
	if err := errors.Join(err, check()); err != nil {
		return err
	}
	useAgain(given, events[0])
	if _, err := p.read(subject, namesOf(events)); err != nil {
		return fmt.Errorf("after the batch was used again: %w", err)
	}
	return p.leavesTheBatchOfACancelledStore()
}

// leavesTheBatchOfACancelledStore cancels a Store and changes the batch. The race
// detector finds a driver that still reads the batch when the destination answers.
func (p *probe) leavesTheBatchOfACancelledStore() error {
	if p.h.Hanging == nil {
		return nil
	}
	fault, err := p.hanging()
	if err != nil {
		return err
	}
	d := driver.Of(fault.Sink)
	events, given, check, err := p.watched(d)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, endsAfter)
	defer cancel()
	if _, broken := p.store(ctx, d, given); broken != nil {
		return broken
	}
	if err := check(); err != nil {
		return err
	}
	fault.Release()
	useAgain(given, events[0])
	return nil
}

// useAgain overwrites a slice that was passed to a driver with another event, as a
// caller that reuses the slice does.
func useAgain(given []*driver.Event, other *driver.Event) {
	for i := range given {
		given[i] = other
	}
}

// watched returns a batch, a copy of it to pass to a driver, and a function that
// returns an error when the driver has changed the copy.
func (p *probe) watched(d driver.Driver) (events, given []*driver.Event, check func() error, err error) {
	events, err = p.batch(d.Info())
	if err != nil {
		return nil, nil, nil, err
	}
	behind := events[len(events)-1] // in the array, after the end of the slice
	given = append(slices.Clone(events), behind)[:len(events)]
	before := printedEvents(events)
	return events, given, func() error {
		switch {
		case !slices.Equal(given, events):
			return errors.New("Store changed the slice of events")
		case given[:len(events)+1][len(events)] != behind:
			return errors.New("Store appended to the slice of events")
		case !bytes.Equal(printedEvents(events), before):
			return errors.New("Store changed an event")
		}
		return nil
	}, nil
}

// printedEvents encodes events again, without what they have cached.
func printedEvents(events []*driver.Event) (text []byte) {
	for _, e := range events {
		text = append(e.AppendSpec(text), printed(e.Object().ObjectMeta)...)
	}
	return text
}
