package sinktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

var repeatClauses = []Clause{{
	Name: "stores the same event once",
	Explanation: `The same event written again, and again by several writers at once, is one event at
the destination, and each of these writes returns nil: a caller may retry whatever
it is unsure of.`,
	check: storesTheSameEventOnce,
}, {
	Name: "stores a retry after a timeout once",
	Explanation: `A Write that ended with its context may have stored the event or not. Writing it
again succeeds either way and leaves one event.`,
	check: storesARetryAfterATimeoutOnce,
}, {
	Name: "stores a retry from another process once",
	Explanation: `A retry may come from another process, with the event read back from JSON, which
drops the fraction of a second from spec.timestamp. It is the same event, by its
name and its annotation ` + v1alpha1.AnnotationTimestamp + `.`,
	check: storesARetryFromAnotherProcessOnce,
}, {
	Name: "stores the events of 64 writers, each once",
	Explanation: `Write is safe for concurrent use: of many writers at once none is lost, none is
stored twice, and none gets the content of another.`,
	check: storesTheEventsOfManyWriters,
}}

// writers is how many goroutines write at once.
const writers = 64

func storesTheSameEventOnce(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	ae := p.complete()
	for range 2 {
		if err := p.mustWrite(subject.Sink, ae); err != nil {
			return fmt.Errorf("writing one event twice: %w", err)
		}
	}
	// Now several copies of another event are written at the same time.
	copies := p.complete()
	err = atOnce(8, func(int) error { return p.mustWrite(subject.Sink, copies.DeepCopy()) })
	if err != nil {
		return fmt.Errorf("writing copies of one event at once: %w", err)
	}
	_, err = p.read(subject, []string{ae.Name, copies.Name})
	return err
}

// atOnce calls f on n goroutines, which start together.
func atOnce(n int, f func(i int) error) error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	return errors.Join(errs[:min(len(errs), 3)]...) // three are enough to see what is wrong
}

func storesARetryAfterATimeoutOnce(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	var names []string
	for _, after := range []time.Duration{time.Microsecond, 30 * time.Microsecond, 300 * time.Microsecond, 3 * time.Millisecond} {
		ae := p.event()
		names = append(names, ae.Name)
		ctx, cancel := context.WithTimeout(p.ctx, after)
		_, broken := p.write(ctx, subject.Sink, ae)
		cancel()
		if broken != nil {
			return fmt.Errorf("with a timeout of %v: %w", after, broken)
		}
		if err := p.mustWrite(subject.Sink, ae); err != nil {
			return fmt.Errorf("again after a timeout of %v: %w", after, err)
		}
	}
	_, err = p.read(subject, names)
	return err
}

func storesARetryFromAnotherProcessOnce(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	ae := p.complete()
	want := auditing.EventTime(ae)
	if err := p.mustWrite(subject.Sink, ae); err != nil {
		return err
	}
	again, err := p.again(subject)
	if err != nil {
		return err
	}
	text, err := json.Marshal(ae)
	if err != nil {
		return fmt.Errorf("the event after a Write is no JSON: %w", err)
	}
	var retried v1alpha1.AuditEvent
	if err := json.Unmarshal(text, &retried); err != nil {
		return fmt.Errorf("the event after a Write does not come back from JSON: %w", err)
	}
	if err := p.mustWrite(again, &retried); err != nil {
		return fmt.Errorf("as read back from JSON: %w", err)
	}
	got, err := p.readOne(subject, ae.Name)
	if err != nil {
		return err
	}
	if at := auditing.EventTime(got); !at.Equal(want) {
		return fmt.Errorf("after the retry the stored time is %s, want %s",
			at.UTC().Format(time.RFC3339Nano), want.Format(time.RFC3339Nano))
	}
	return nil
}

// again returns a second sink that writes to the destination of subject.
func (p *probe) again(subject Subject) (auditing.Sink, error) {
	if subject.Again == nil {
		p.notef("Subject.Again is nil: the retry went to the same sink")
		return subject.Sink, nil
	}
	sink, err := subject.Again(p.ctx)
	if err != nil {
		return nil, fmt.Errorf("subject: Again: %w", err)
	}
	if sink == nil {
		return nil, errors.New("subject: Again gave no sink")
	}
	p.atEnd(func() { p.close(sink) })
	return sink, nil
}

func storesTheEventsOfManyWriters(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	const each = 2
	names := make([]string, writers*each)
	err = atOnce(writers, func(w int) error {
		for i := range each {
			ae := p.event()
			names[w*each+i] = ae.Name
			ae.Spec.Reason = ae.Name
			if err := p.mustWrite(subject.Sink, ae); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	found, err := p.read(subject, names)
	if err != nil {
		return err
	}
	for i := range found {
		if found[i].Spec.Reason != names[i] {
			return fmt.Errorf("event %q is stored with the reason %q of another", names[i], found[i].Spec.Reason)
		}
	}
	return nil
}
