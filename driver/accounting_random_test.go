package driver_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// lockedSource makes a source of random numbers safe for concurrent use.
type lockedSource struct {
	mu     sync.Mutex
	source rand.Source
}

func (g *lockedSource) Uint64() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.source.Uint64()
}

// chains makes random chains of stages, strangers and destinations.
type chains struct {
	*rand.Rand
	mu     sync.Mutex
	stored map[string]string // the component in the label of what destinations got, by name
}

// newChains returns chains that are the same every time.
func newChains(seed uint64) *chains {
	return &chains{Rand: rand.New(&lockedSource{source: rand.NewPCG(seed, seed)}), stored: map[string]string{}}
}

func (c *chains) component() string {
	return []string{"", "", "", "chain-broker", "chain-proxy"}[c.IntN(5)]
}

// store is that of a destination that fails at times.
func (c *chains) store(_ context.Context, e *driver.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored[e.Name()] = e.Component()
	switch c.IntN(6) {
	case 0:
		return errRefused
	case 1:
		panic("boom")
	}
	return nil
}

// make returns a chain, or the error of a stage in it.
func (c *chains) make(depth int) (auditing.Sink, error) {
	if depth == 0 || c.IntN(5) == 0 {
		switch c.IntN(4) {
		case 0:
			return plain{}, nil
		case 1:
			return auditing.NoopSink{}, nil
		}
		return newSink(stub{info: driver.Info{Name: "leaf", Component: c.component()}, store: one(c.store)}), nil
	}
	next, err := c.make(depth - 1)
	if err != nil {
		return nil, err
	}
	switch c.IntN(6) {
	case 0:
		return handingOn(next), nil
	case 1:
		return overInterface{next}, nil
	case 2:
		if s, ok := next.(*sink); ok {
			return overPointer{s}, nil
		}
	case 3:
		return newStage("again", c.component(), 1+c.IntN(3), next)
	}
	behind := []auditing.Sink{next}
	for range c.IntN(3) {
		more, err := c.make(depth - 1)
		if err != nil {
			return nil, err
		}
		if c.IntN(4) == 0 {
			more = auditing.FailOpen(more, nil)
		}
		behind = append(behind, more)
	}
	return newStage("fan", c.component(), 1, behind...)
}

// event returns an event of any kind, and whether it is valid.
func (c *chains) event() (ae *v1alpha1.AuditEvent, valid bool) {
	ae = denial()
	if c.IntN(3) == 0 {
		ae.Labels[v1alpha1.LabelComponent] = "chain-forged"
	}
	if c.IntN(3) == 0 {
		ae.Spec.Reason = text(5000)
	}
	if c.IntN(3) == 0 {
		ae.Spec.Kind = "of-its-own"
	}
	if c.IntN(4) > 0 {
		return ae, true
	}
	switch c.IntN(3) {
	case 0:
		ae.Spec.Decision = "maybe"
	case 1:
		ae.Spec.Kind = "Not a label"
	case 2:
		ae.Name = "Not/a/name"
	}
	return ae, false
}

func TestRandomChainsCountEachWriteOnceByWhatIsStored(t *testing.T) {
	c := newChains(3)
	made, conflicts, outcomes := 0, 0, map[string]int{}
	for range 500 {
		chain, err := c.make(4)
		if err != nil {
			if conflicts++; !strings.Contains(err.Error(), "two components") {
				t.Fatal(err)
			}
			continue
		}
		outermost, err := newStage("outermost", c.component(), 1, chain)
		if err != nil {
			conflicts++
			continue
		}
		made++
		outcomes[c.writeAndCompare(t, outermost)]++
		if t.Failed() {
			t.Fatal(outermost)
		}
	}
	for _, outcome := range []string{"stored", "failed", "invalid"} {
		if outcomes[outcome] < 20 {
			t.Errorf("%v of %d chains, %d conflicts: not enough to tell", outcomes, made, conflicts)
		}
	}
}

// writeAndCompare writes an event and says what became of it.
func (c *chains) writeAndCompare(t *testing.T, s *sink) (outcome string) {
	t.Helper()
	ae, valid := c.event()
	var err error
	got := rises(t, func() { err = s.Write(t.Context(), ae) })
	component := ae.Labels[v1alpha1.LabelComponent]
	if own := driver.Of(s).Info().Component; own != "" {
		component = own
	}
	decision, kind := "other", "other"
	if ae.Spec.Decision.Known() {
		decision = string(ae.Spec.Decision)
	}
	if ae.Spec.Kind.Known() {
		kind = string(ae.Spec.Kind)
	}
	labels := fmt.Sprintf(" %s %s %s", component, decision, kind)
	want := []string{eventsTotal + labels}
	outcome = "stored"
	switch {
	case !valid:
		outcome = "invalid"
		want = append(want, invalidTotal+labels)
	case err != nil:
		outcome = "failed"
		want = append(want, failedTotal+labels)
	}
	if err != nil && writeError(t, err).Component != component {
		t.Errorf("the error's component is %q, want %q", writeError(t, err).Component, component)
	}
	c.mu.Lock()
	stored, ok := c.stored[ae.Name]
	c.mu.Unlock()
	if ok && stored != component {
		t.Errorf("stored under %q, counted under %q", stored, component)
	}
	if !valid && (err == nil || ok) {
		t.Errorf("an invalid event gave %v, and reached a destination: %t", err, ok)
	}
	wantRises(t, outcome, got, want...)
	return outcome
}
