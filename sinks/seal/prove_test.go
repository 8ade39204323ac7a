package seal_test

import (
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
)

// proven is a trail as its stored events prove it.
type proven struct {
	leaves      map[int64]trail.Hash    // of the events that are there
	names       map[int64]string        // of those
	checkpoints []*trail.Checkpoint     // in the order of their indices
	kinds       []v1alpha1.AuditKind    // of the checkpoints
	size        int64                   // of the last signed head
	outcomes    map[int64]string        // as the checkpoints tell them
	lacks       map[string]trail.Ranges // by trail and place
}

// prove checks the seals and checkpoints of stored events, and returns their trails.
func prove(t testing.TB, events []v1alpha1.AuditEvent) map[string]*proven {
	t.Helper()
	trails := map[string]*proven{}
	for i := range events {
		ae := &events[i]
		s, err := trail.ParseSeal(ae.Annotations[v1alpha1.AnnotationSeal])
		must(t, err)
		p := trails[s.Trail]
		if p == nil {
			p = &proven{leaves: map[int64]trail.Hash{}, names: map[int64]string{}, outcomes: map[int64]string{}, lacks: map[string]trail.Ranges{}}
			trails[s.Trail] = p
		}
		leaf := trail.HashLeaf(canonical.AppendObject(trail.AppendLeaf(nil, s.Salt), ae))
		if was, ok := p.leaves[s.Index]; ok && was != leaf {
			t.Fatalf("index %d has two leaves", s.Index)
		}
		p.leaves[s.Index], p.names[s.Index] = leaf, ae.Name
		if trail.IsCheckpoint(ae.Spec.Kind) {
			p.add(t, s, ae, leaf)
		}
	}
	return trails
}

// add checks a checkpoint against the leaves that it carries and those that are there.
func (p *proven) add(t testing.TB, s trail.Seal, ae *v1alpha1.AuditEvent, leaf trail.Hash) {
	t.Helper()
	c, err := trail.ParseCheckpoint(ae.Spec.Detail)
	must(t, err)
	if c.Index() != s.Index {
		t.Fatalf("a checkpoint of index %d carries the leaves up to %d", s.Index, c.Index())
	}
	tree := c.Before.Clone()
	for i, carried := range c.Leaves {
		tree.Add(carried)
		at := c.Before.Size() + int64(i)
		if own, ok := p.leaves[at]; ok && own != carried {
			t.Errorf("the checkpoint of index %d carries another leaf of %d", s.Index, at)
		}
		p.leaves[at] = carried
	}
	tree.Add(leaf)
	head, err := trail.OpenHead(c.Note, c.Key)
	must(t, err)
	if head.Size != tree.Size() || head.Root != tree.Root() {
		t.Errorf("the head of index %d is %v, and the tree %d %v", s.Index, head, tree.Size(), tree.Root())
	}
	p.size = max(p.size, head.Size)
	p.checkpoints, p.kinds = append(p.checkpoints, c), append(p.kinds, ae.Spec.Kind)
	for i := c.Settled.From; i < c.Settled.To; i++ {
		if p.outcomes[i] != "stored" {
			p.outcomes[i] = "stored"
			if c.Failed.Has(i) {
				p.outcomes[i] = "failed"
			} else if c.Unclear.Has(i) {
				p.outcomes[i] = "unclear"
			}
		}
	}
	for _, one := range c.Stored {
		for i := one.From; i < one.To; i++ {
			p.outcomes[i] = "stored"
		}
	}
	for _, l := range c.Lacks {
		all := p.lacks[l.Trail+" "+l.Place]
		all.AddAll(l.Ranges)
		p.lacks[l.Trail+" "+l.Place] = all
	}
}

// only returns the one trail.
func only(t testing.TB, trails map[string]*proven) *proven {
	t.Helper()
	if len(trails) != 1 {
		t.Fatalf("there are %d trails, want one", len(trails))
	}
	for _, p := range trails {
		return p
	}
	return nil
}

func indexOf(t testing.TB, ae *v1alpha1.AuditEvent) int64 {
	t.Helper()
	s, err := trail.ParseSeal(ae.Annotations[v1alpha1.AnnotationSeal])
	must(t, err)
	return s.Index
}
