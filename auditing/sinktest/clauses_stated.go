package sinktest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

var statedClauses = []Clause{{
	Name: "states its level",
	Explanation: `auditing.LevelOf says what nil from Write means: accepted, durable or acknowledged.
A driver states it in its Info; a fail-closed component is refused a sink that
promises nothing.`,
	check: statesItsLevel,
}, {
	Name: "prints its chain",
	Explanation: `A method String() string says in one line what the sink is and what stands behind
it, like multi(all)[kube, retry(loki)]: components log it when they start.`,
	check: printsItsChain,
}, {
	Name: "labels with the component it states",
	Explanation: `The component in a driver's Info is the one that its stored events are labelled
with; without one, events keep the label that they have. A stage takes it from there,
and every event of its chain is stored and counted under that component.`,
	check: labelsWithItsComponent,
}, {
	Name: "states what a repeat is",
	Explanation: `A driver's Info says of an event that is stored a second time, also in one batch,
whether the destination recognises it and holds it once, or readers fold what it
holds. Either way both stores succeed, and readers see one event.`,
	check: statesWhatARepeatIs,
}, {
	Name: "answers a check",
	Explanation: `Check returns nil when the destination is there and takes events: a program asks it
before its first event. While the destination does not answer, Check ends with its
context.`,
	check: answersACheck,
}}

func statesItsLevel(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	switch level := auditing.LevelOf(subject.Sink); level {
	case auditing.LevelAccepted, auditing.LevelDurable, auditing.LevelAcknowledged:
	default:
		return fmt.Errorf("auditing.LevelOf is %s", level)
	}
	if level, behind := auditing.LevelOf(subject.Sink), driver.Of(subject.Sink).Info().Level; level != behind {
		return fmt.Errorf("auditing.LevelOf is %s, and the driver's level %s", level, behind)
	}
	return nil
}

func printsItsChain(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	if _, ok := subject.Sink.(fmt.Stringer); !ok {
		return fmt.Errorf("%T has no String method", subject.Sink)
	}
	chain := auditing.Chain(subject.Sink)
	if strings.TrimSpace(chain) == "" || strings.ContainsAny(chain, "\n\r") {
		return fmt.Errorf("the chain is %q, want one line of text", chain)
	}
	return nil
}

func labelsWithItsComponent(p *probe) error {
	subject, d, err := p.openDriver()
	if err != nil {
		return err
	}
	stated := d.Info().Component
	for _, given := range []string{"", "conformance"} {
		ae := p.event()
		if given != "" {
			ae.Labels = map[string]string{v1alpha1.LabelComponent: given}
		}
		if err := p.mustWrite(subject.Sink, ae); err != nil {
			return err
		}
		got, err := p.readOne(subject, ae.Name)
		if err != nil {
			return err
		}
		if err := labelled(got, v1alpha1.LabelComponent, cmp.Or(stated, given)); err != nil {
			return fmt.Errorf("the driver states the component %q, and the event had %q: %w", stated, given, err)
		}
	}
	return nil
}

func statesWhatARepeatIs(p *probe) error {
	subject, d, err := p.openDriver()
	if err != nil {
		return err
	}
	repeats := d.Info().Repeats
	if repeats != driver.RepeatsFolded && repeats != driver.RepeatsRecognised {
		return fmt.Errorf("Info().Repeats is %d, which is neither RepeatsFolded nor RepeatsRecognised", repeats)
	}
	events, err := p.batch(d.Info())
	if err != nil {
		return err
	}
	first, again := events[:1], []*driver.Event{events[0]}
	if len(events) > 1 {
		last := events[len(events)-1]
		again = append(again, last, last)
	}
	for _, batch := range [][]*driver.Event{first, first, again} {
		if err := p.mustStore(d, batch); err != nil {
			return fmt.Errorf("a repeat: %w", err)
		}
	}
	if _, err := p.read(subject, namesOf(again[:min(len(again), 2)])); err != nil {
		return fmt.Errorf("a repeat: %w", err)
	}
	if repeats != driver.RepeatsRecognised {
		return nil
	}
	if subject.Records == nil {
		p.notef("Subject.Records is nil: that the destination itself holds a repeat once was not looked at")
		return nil
	}
	n, err := subject.Records(p.ctx, events[0].Name())
	if err != nil {
		return fmt.Errorf("subject: Records: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("the driver states that the destination recognises a repeat, and it holds %d records of one event", n)
	}
	return nil
}

func answersACheck(p *probe) error {
	_, d, err := p.openDriver()
	if err != nil {
		return err
	}
	err, broken := p.bounded("Check", p.h.Patience, func() error { return d.Check(p.ctx) })
	if broken != nil {
		return broken
	}
	if err != nil {
		return fmt.Errorf("Check of a destination in order failed: %w", err)
	}
	if p.h.Hanging == nil {
		return nil
	}
	fault, err := p.hanging()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, endsAfter)
	defer cancel()
	_, broken = p.bounded("Check", endsAfter+p.h.Prompt, func() error { return driver.Of(fault.Sink).Check(ctx) })
	if broken != nil {
		return errors.Join(errors.New("the destination does not answer"), broken)
	}
	return nil
}
