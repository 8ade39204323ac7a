package sinktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

var closeClauses = []Clause{{
	Name: "refuses writes after Close",
	Explanation: `After Close, Write fails at once, with class closed: not by blocking, as on a
channel that nobody reads any more, and not by a panic, as on one that is closed.`,
	check: refusesWritesAfterClose,
}, {
	Name: "refuses a batch after Close",
	Explanation: `A stage closes and stores through the driver: once that is closed, Store fails at
once, every event with class closed.`,
	check: refusesABatchAfterClose,
}, {
	Name: "answers every write when closed meanwhile",
	Explanation: `Close while others write: each of these writes returns, and what was answered with
nil is in the destination once Close has returned. A queue that is dropped on the
way out breaks that.`,
	check: answersEveryWriteWhenClosed,
}, {
	Name: "ends Close with its context",
	Explanation: `While the destination does not answer, Close returns when its context ends. Its
error says what stayed unconfirmed: nil would mean that no write is under way.`,
	check: endsCloseWithItsContext,
}, {
	Name:        "can be closed twice",
	Explanation: `Closing again, or from two goroutines at once, is harmless: nil, and no panic.`,
	check:       canBeClosedTwice,
}}

var errNoClose = &notApplicable{reason: "the sink has no Close"}

// openCloser opens a subject whose sink can be closed.
func (p *probe) openCloser() (Subject, error) {
	subject, err := p.open()
	if err != nil {
		return Subject{}, err
	}
	if _, ok := subject.Sink.(auditing.Closer); !ok {
		return Subject{}, errNoClose
	}
	return subject, nil
}

// mustClose closes a working sink, and returns an error when that fails.
func (p *probe) mustClose(s auditing.Sink) error {
	ctx, cancel := context.WithTimeout(p.ctx, p.h.Patience)
	defer cancel()
	err, broken := p.bounded("Close", p.h.Patience+p.h.Prompt, func() error { return auditing.Close(ctx, s) })
	if broken != nil {
		return broken
	}
	if err != nil {
		return fmt.Errorf("Close failed: %w", err)
	}
	return nil
}

func refusesWritesAfterClose(p *probe) error {
	subject, err := p.openCloser()
	if err != nil {
		return err
	}
	written := p.event()
	if err := p.mustWrite(subject.Sink, written); err != nil {
		return err
	}
	if err := p.mustClose(subject.Sink); err != nil {
		return err
	}
	for range 3 { // a sink with a small queue would block only once the queue is full
		for _, ae := range []*v1alpha1.AuditEvent{p.event(), written} {
			err, broken := p.bounded("Write", p.h.Prompt, func() error { return subject.Sink.Write(p.ctx, ae) })
			switch {
			case broken != nil:
				return fmt.Errorf("after Close: %w", broken)
			case err == nil:
				return errors.New("after Close: Write returned nil")
			}
			if class, _ := driver.ClassOf(err); class != auditing.ClassClosed {
				return fmt.Errorf("after Close: the error's class is %s, want %s: %w", class, auditing.ClassClosed, err)
			}
		}
	}
	return nil
}

func refusesABatchAfterClose(p *probe) error {
	subject, err := p.openCloser()
	if err != nil {
		return err
	}
	d := driver.Of(subject.Sink)
	events, err := p.batch(d.Info())
	if err != nil {
		return err
	}
	err, broken := p.bounded("Close", p.h.Patience, func() error { return d.Close(p.ctx) })
	if err := errors.Join(err, broken); err != nil {
		return fmt.Errorf("closing through the driver: %w", err)
	}
	var outcomes []error
	if outcomes, broken = p.storeWithin(p.ctx, d, events, p.h.Prompt); broken != nil {
		return fmt.Errorf("after Close: %w", broken)
	}
	for i, err := range outcomes {
		if err == nil {
			return fmt.Errorf("after Close: the outcome of event %d of %d is nil", i, len(events))
		}
		if class, _ := driver.ClassOf(err); class != auditing.ClassClosed {
			return fmt.Errorf("after Close: the class of event %d of %d is %s, want %s: %w", i, len(events), class, auditing.ClassClosed, err)
		}
	}
	return nil
}

func answersEveryWriteWhenClosed(p *probe) error {
	subject, err := p.openCloser()
	if err != nil {
		return err
	}
	const (
		goroutines = 16  // which write while the sink is being closed
		most       = 100 // events of each
		closeAfter = 16  // events
	)
	var (
		enough, closed = make(chan struct{}), make(chan struct{})
		names          = make(chan string, goroutines*most)
		once           sync.Once
		closing        error
	)
	tell := func() { once.Do(func() { close(enough) }) }
	go func() {
		defer close(closed)
		<-enough
		closing = p.mustClose(subject.Sink)
	}()
	writing := atOnce(goroutines, func(int) error {
		defer tell()
		return p.writeUntil(closed, subject.Sink, most, func(name string) {
			if names <- name; len(names) >= closeAfter {
				tell()
			}
		})
	})
	<-closed
	close(names)
	if err := errors.Join(closing, writing); err != nil {
		return err
	}
	var answered []string
	for name := range names {
		answered = append(answered, name)
	}
	if len(answered) == 0 {
		return errors.New("no write succeeded before Close")
	}
	if _, err := p.read(subject, answered); err != nil {
		return fmt.Errorf("of the writes answered with nil: %w", err)
	}
	return nil
}

// writeUntil writes up to most events. It stops when a write fails or closed is closed.
// It calls answered with the name of each event whose Write returned nil.
func (p *probe) writeUntil(closed <-chan struct{}, s auditing.Sink, most int, answered func(name string)) error {
	for range most {
		ae := p.event()
		err, broken := p.write(p.ctx, s, ae)
		if broken != nil || err != nil {
			return broken
		}
		answered(ae.Name)
		select {
		case <-closed:
			return nil
		default:
		}
	}
	return nil
}

func endsCloseWithItsContext(p *probe) error {
	fault, err := p.hanging()
	if err != nil {
		return err
	}
	if _, ok := fault.Sink.(auditing.Closer); !ok {
		return errNoClose
	}
	writeCtx, stop := context.WithTimeout(p.ctx, p.h.Patience)
	defer stop()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		_, _ = p.write(writeCtx, fault.Sink, p.event())
	}()
	// Give the write time to reach the destination. If it has not got there by then,
	// no write is under way during Close, and the write fails because the sink is closed.
	reached := time.NewTimer(endsAfter)
	defer reached.Stop()
	select {
	case <-reached.C:
	case <-returned:
	}
	closeCtx, cancel := context.WithTimeout(p.ctx, endsAfter)
	defer cancel()
	err, broken := p.bounded("Close", endsAfter+p.h.Prompt, func() error { return auditing.Close(closeCtx, fault.Sink) })
	if broken != nil || err != nil {
		return broken
	}
	late := time.NewTimer(p.h.Prompt)
	defer late.Stop()
	select {
	case <-returned:
		return nil
	case <-late.C:
		return errors.New("Close returned nil, and a write is still under way")
	}
}

func canBeClosedTwice(p *probe) error {
	subject, err := p.openCloser()
	if err != nil {
		return err
	}
	if err := p.mustWrite(subject.Sink, p.event()); err != nil {
		return err
	}
	if err := atOnce(2, func(int) error { return p.mustClose(subject.Sink) }); err != nil {
		return fmt.Errorf("from two goroutines at once: %w", err)
	}
	if err := p.mustClose(subject.Sink); err != nil {
		return fmt.Errorf("again: %w", err)
	}
	return nil
}
