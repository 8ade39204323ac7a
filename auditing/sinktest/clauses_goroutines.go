package sinktest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/pprof"
	"strings"

	"github.com/paddock-dev/audit/auditing"
)

var goroutineClauses = []Clause{{
	Name: "leaves no goroutine behind",
	Explanation: `Writing does not add goroutines that stay: each of them holds its event, and a
component that runs for months runs out of memory. After Close, and after a
destination that hung answers at last, none of the sink's are left.`,
	check: leavesNoGoroutine,
}}

// labelKey is the profiler label that marks the goroutines of one sink, from New to
// Close. A goroutine inherits the labels of the goroutine that starts it. So tests that
// run at the same time do not count each other's goroutines.
const labelKey = "sinktest"

func leavesNoGoroutine(p *probe) error {
	for _, life := range []func(*probe, string) error{liveAndClose, hangAndRecover} {
		// The first round also starts goroutines that a program has once, such as a
		// shared pool. They are not counted.
		_ = p.labelled(life)
		if err := p.labelled(life); err != nil {
			return err
		}
	}
	return nil
}

// labelled opens, uses and closes one sink under a label of its own.
func (p *probe) labelled(life func(inner *probe, label string) error) (err error) {
	label := rand.Text()
	pprof.Do(p.ctx, pprof.Labels(labelKey, label), func(ctx context.Context) {
		inner := &probe{h: p.h, ctx: ctx}
		err = life(inner, label)
		inner.end()
	})
	var closed *closedLife
	if !errors.As(err, &closed) {
		return err
	}
	return p.settles(label, 0, closed.after)
}

// closedLife is returned for a sink that was closed, so that no goroutine of it may be
// left. after says what came before.
type closedLife struct{ after string }

func (c *closedLife) Error() string { return c.after }

// liveAndClose makes writes that succeed, fail and hang, and compares the number of
// goroutines with that after one write. That write may have opened a connection that is kept.
func liveAndClose(p *probe, label string) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	if err := p.mustWrite(subject.Sink, p.event()); err != nil {
		return err
	}
	before, _ := labelledGoroutines(label)
	const rounds = 8
	for range rounds {
		ended, cancel := context.WithCancel(p.ctx)
		cancel()
		ae, invalid := p.event(), p.event()
		invalid.Spec.Kind = ""
		if err := errors.Join(p.mustWrite(subject.Sink, ae), p.mustWrite(subject.Sink, ae)); err != nil {
			return err
		}
		_, _ = p.write(p.ctx, subject.Sink, invalid)
		_, _ = p.write(ended, subject.Sink, p.event())
	}
	// Less than one more goroutine for each round is a pool that grew.
	if err := p.settles(label, before+rounds-1, fmt.Sprintf("%d writes", 4*rounds)); err != nil {
		return err
	}
	if _, ok := subject.Sink.(auditing.Closer); !ok {
		return nil // a sink without Close cannot be asked to end its goroutines
	}
	return &closedLife{after: "Close and Release"}
}

func hangAndRecover(p *probe, _ string) error {
	if p.h.Hanging == nil {
		return nil
	}
	fault, err := p.hanging()
	if err != nil {
		return err
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(p.ctx, endsAfter)
		_, broken := p.write(ctx, fault.Sink, p.event())
		cancel()
		if broken != nil {
			return broken
		}
	}
	return &closedLife{after: "writes to a destination that hung, its Release and Close"}
}

// settles waits until no more than most goroutines carry the label.
func (p *probe) settles(label string, most int, after string) error {
	ctx, cancel := context.WithTimeout(p.ctx, p.h.Patience)
	defer cancel()
	for wait := firstPoll; ; wait = min(2*wait, lastPoll) {
		n, stacks := labelledGoroutines(label)
		if n <= most {
			return nil
		}
		if !pause(ctx, wait) {
			return fmt.Errorf("%d goroutines are left %v after %s, want at most %d:\n%s", n, p.h.Patience, after, most, stacks)
		}
	}
}

// labelledGoroutines returns the number of goroutines that carry the label, and their
// stacks.
func labelledGoroutines(label string) (n int, stacks string) {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return 0, ""
	}
	var mine strings.Builder
	// The text of the profile has one block for all goroutines with the same stack. It
	// begins with "3 @ 0x46...", and the labels follow as "# labels: {...}".
	for block := range strings.SplitSeq(profile.String(), "\n\n") {
		if !strings.Contains(block, label) {
			continue
		}
		var equal int
		if i := strings.Index(block, " @ "); i >= 0 {
			head := block[:i]
			_, _ = fmt.Sscan(head[strings.LastIndexByte(head, '\n')+1:], &equal)
		}
		n += equal
		mine.WriteString(block + "\n")
	}
	return n, mine.String()
}
