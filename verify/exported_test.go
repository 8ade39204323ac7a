package verify_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
)

// exported is a set of trails as an auditor gets them, and what a forger knows.
type exported struct {
	root            *root
	first, second   *sealer // of broker; the second tells of the first
	proxy, openEnds *sealer // openEnds has no end, and nobody tells of it
	events          []*v1alpha1.AuditEvent
}

func newExported(t testing.TB) *exported { t.Helper(); return newExportedOf(t, newRoot(t)) }

func newExportedOf(t testing.TB, r *root) *exported {
	t.Helper()
	x := &exported{root: r, first: newSealer(t, r, "broker")}
	fill := func(s *sealer) {
		for range 3 {
			s.write(5)
			s.checkpoint(canonical.KindTrailCheckpoint)
		}
		s.write(2)
	}
	fill(x.first)
	x.first.close()
	x.proxy = newSealer(t, r, "proxy")
	fill(x.proxy)
	x.proxy.close()
	x.second = newSealer(t, r, "broker")
	x.second.tell(x.first)
	x.second.tell(x.proxy)
	fill(x.second)
	x.second.close()
	x.openEnds = newSealer(t, r, "broker")
	fill(x.openEnds)
	for _, s := range []*sealer{x.first, x.proxy, x.second, x.openEnds} {
		for _, ae := range s.stored {
			x.events = append(x.events, ae.DeepCopy())
		}
	}
	return x
}

// at returns the exported event of an index of a trail.
func (x *exported) at(s *sealer, index int) *v1alpha1.AuditEvent {
	for _, ae := range x.events {
		if seal, err := trail.ParseSeal(ae.Annotations[v1alpha1.AnnotationSeal]); err == nil && seal.Trail == s.id && seal.Index == int64(index) {
			return ae
		}
	}
	s.tb.Fatalf("no event %d", index)
	return nil
}

// remove removes what is chosen.
func (x *exported) remove(choose func(s trail.Seal, ae *v1alpha1.AuditEvent) bool) {
	x.events = slices.DeleteFunc(x.events, func(ae *v1alpha1.AuditEvent) bool {
		seal, err := trail.ParseSeal(ae.Annotations[v1alpha1.AnnotationSeal])
		return err == nil && choose(seal, ae)
	})
}

func (x *exported) removeRange(s *sealer, from, to int) {
	x.remove(func(seal trail.Seal, _ *v1alpha1.AuditEvent) bool {
		return seal.Trail == s.id && seal.Index >= int64(from) && seal.Index < int64(to)
	})
}

// checkpointOf reports whether an event holds a checkpoint of the trail.
func checkpointOf(s *sealer, seal trail.Seal, ae *v1alpha1.AuditEvent) bool {
	return seal.Trail == s.id && trail.IsCheckpoint(ae.Spec.Kind)
}

func (x *exported) setSeal(ae *v1alpha1.AuditEvent, change func(*trail.Seal)) {
	seal, err := trail.ParseSeal(ae.Annotations[v1alpha1.AnnotationSeal])
	if err != nil {
		panic(err)
	}
	change(&seal)
	ae.Annotations[v1alpha1.AnnotationSeal] = seal.String()
}

// forger returns a copy of a sealer as it was after n leaves, with which its key can be used.
func (x *exported) forger(s *sealer, n int64) *sealer {
	f := *s
	f.all, f.from, f.settled, f.heads, f.keys, f.stored = slices.Clone(s.all[:n]), n, n, nil, nil, nil
	f.clock = new(*s.clock)
	f.made += 1000
	return &f
}

func rootOf(leaves []trail.Hash) trail.Hash {
	f := trail.Frontier{}
	for _, leaf := range leaves {
		f.Add(leaf)
	}
	return f.Root()
}

// relabelled returns a head with another text and the same signature.
func relabelled(tb testing.TB, h trail.SignedHead, text, other string) trail.SignedHead {
	tb.Helper()
	changed, err := trail.ParseSignedHead(strings.ReplaceAll(h.Note(), text, other))
	if err != nil || changed == h {
		tb.Fatalf("%v in %s", err, h.Note())
	}
	return changed
}

// newTrail adds a trail whose sealer was changed before it began.
func (x *exported) newTrail(change func(s *sealer)) {
	s := newSealer(x.first.tb, x.root, "broker")
	s.all, s.stored, s.from, s.settled = nil, nil, 0, 0
	change(s)
	s.checkpoint(canonical.KindTrailOpened)
	s.write(2)
	s.close()
	x.events = append(x.events, s.stored...)
}
