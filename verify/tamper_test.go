package verify_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/verify"
)

// manipulation is what somebody does to an export, and what is to be found.
type manipulation struct {
	do      func(x *exported)
	verdict verify.Verdict
	codes   []verify.Code
}

func found(do func(x *exported), codes ...verify.Code) manipulation {
	return manipulation{do, verify.Tampered, codes}
}

var manipulations = map[string]manipulation{
	"nothing":                                {func(*exported) {}, verify.Intact, nil},
	"one deleted":                            found(func(x *exported) { x.removeRange(x.first, 4, 5) }, verify.CodeDeleted),
	"a range deleted":                        found(func(x *exported) { x.removeRange(x.first, 2, 5) }, verify.CodeDeleted),
	"the tail cut, and others tell of it":    found(func(x *exported) { x.removeRange(x.first, 12, 100) }, verify.CodeTailCut),
	"a trail deleted, and others tell of it": found(func(x *exported) { x.removeRange(x.proxy, 0, 100) }, verify.CodeTrailDeleted),
	"the tail cut and the board rolled back, and others tell of it": found(func(x *exported) {
		old := x.first.sign(trail.Head{Origin: x.first.origin(), Size: 7, Root: rootOf(x.first.all[:7])})
		x.newTrail(func(s *sealer) { s.heads = []trail.SignedHead{old} })
		x.removeRange(x.first, 12, 100)
	}, verify.CodeTailCut),
	"a trail replaced by one with another key, and others tell of it": found(func(x *exported) {
		f := x.forger(x.proxy, 0)
		f.renew(newRoot(f.tb))
		f.checkpoint(canonical.KindTrailOpened)
		f.write(30)
		f.close()
		x.removeRange(x.proxy, 0, 100)
		x.events = append(x.events, f.stored...)
	}, verify.CodeUnvouched, verify.CodeFork),
	"all checkpoints deleted": found(func(x *exported) {
		x.remove(func(seal trail.Seal, ae *v1alpha1.AuditEvent) bool { return checkpointOf(x.first, seal, ae) })
	}, verify.CodeTrailDeleted, verify.CodeNoCheckpoint),
	"one checkpoint deleted": found(func(x *exported) {
		x.remove(func(seal trail.Seal, ae *v1alpha1.AuditEvent) bool {
			return checkpointOf(x.first, seal, ae) && seal.Index == 6
		})
	}, verify.CodeDeleted),
	"two checkpoints in a row deleted": found(func(x *exported) {
		x.remove(func(seal trail.Seal, ae *v1alpha1.AuditEvent) bool {
			return checkpointOf(x.first, seal, ae) && (seal.Index == 6 || seal.Index == 12)
		})
	}, verify.CodeDeleted, verify.CodeNotCovered, verify.CodeUnknown),
	"an event inserted without a seal": found(func(x *exported) {
		ae := x.at(x.first, 3).DeepCopy()
		ae.Name = "ae-x"
		delete(ae.Annotations, v1alpha1.AnnotationSeal)
		x.events = append(x.events, ae)
	}, verify.CodeUnsealed),
	"a seal stripped": found(func(x *exported) { delete(x.at(x.first, 3).Annotations, v1alpha1.AnnotationSeal) }, verify.CodeUnsealed, verify.CodeDeleted),
	"a seal that is none": found(func(x *exported) {
		ae := x.at(x.first, 3).DeepCopy()
		ae.Annotations[v1alpha1.AnnotationSeal] = "v1 x"
		x.events = append(x.events, ae)
	}, verify.CodeMadeUp),
	"a seal behind the end of a closed trail": found(func(x *exported) {
		ae := x.at(x.first, 3).DeepCopy()
		x.setSeal(ae, func(s *trail.Seal) { s.Index = 1000 })
		x.events = append(x.events, ae)
	}, verify.CodeMadeUp),
	"a seal of another trail": found(func(x *exported) {
		ae := x.at(x.first, 3)
		x.setSeal(ae, func(s *trail.Seal) { s.Trail = x.proxy.id })
	}, verify.CodeSwapped),
	"two indices swapped": found(func(x *exported) {
		a, b := x.at(x.first, 3), x.at(x.first, 4)
		x.setSeal(a, func(s *trail.Seal) { s.Index = 4 })
		x.setSeal(b, func(s *trail.Seal) { s.Index = 3 })
	}, verify.CodeSwapped),
	"a replay under a new name": found(func(x *exported) {
		ae := x.at(x.first, 3).DeepCopy()
		ae.Name = "ae-again"
		x.events = append(x.events, ae)
	}, verify.CodeReplayed),
	"two contents of an event that nothing covers yet": found(func(x *exported) {
		ae := x.at(x.openEnds, 20).DeepCopy()
		ae.Spec.Reason = "other"
		x.events = append(x.events, ae)
	}, verify.CodeConflict),
	"a signature forged": found(func(x *exported) {
		d := x.at(x.first, 6).Spec.Detail
		d[canonical.DetailNote] = strings.Replace(d[canonical.DetailNote], "\n7\n", "\n8\n", 1)
	}, verify.CodeForged),
	"a failed range forged": found(func(x *exported) {
		x.at(x.first, 6).Spec.Detail["failed"] = "2"
		x.removeRange(x.first, 2, 3)
	}, verify.CodeEdited, verify.CodeNotCovered, verify.CodeUnknown),
	"a wrong frontier": found(func(x *exported) {
		d := x.at(x.first, 12).Spec.Detail
		d["frontier"] = d["frontier"][4:8] + d["frontier"][4:]
	}, verify.CodeEdited, verify.CodeNotCovered),
	"a fork of equal size": found(func(x *exported) {
		f := x.forger(x.openEnds, 12)
		f.from = 7
		x.events = append(x.events, f.checkpoint(canonical.KindTrailCheckpoint))
	}, verify.CodeFork),
	"a fork of another size": found(func(x *exported) {
		f := x.forger(x.openEnds, 10)
		f.write(5)
		f.from = 7
		x.events = append(x.events, f.checkpoint(canonical.KindTrailCheckpoint))
	}, verify.CodeFork),
	"a trail written anew with its own key, and others tell of it": found(func(x *exported) {
		f := x.forger(x.proxy, 0)
		for range 3 {
			f.write(6)
			f.checkpoint(canonical.KindTrailCheckpoint)
		}
		f.close()
		x.removeRange(x.proxy, 0, 100)
		x.events = append(x.events, f.stored...)
	}, verify.CodeFork),
	"the key swapped": found(func(x *exported) {
		f := x.forger(x.openEnds, 21)
		var err error
		if f.signer, f.key, err = trail.NewKey(f.origin()); err != nil {
			panic(err)
		}
		x.events = append(x.events, f.checkpoint(canonical.KindTrailCheckpoint))
	}, verify.CodeOtherKey),
	"a checkpoint moved to another trail": found(func(x *exported) {
		ae := x.at(x.proxy, 6).DeepCopy()
		x.setSeal(ae, func(s *trail.Seal) { s.Trail = x.first.id })
		x.events = append(x.events, ae)
	}, verify.CodeOtherKey),
	"a certificate for another key": found(func(x *exported) { x.newTrail(func(s *sealer) { s.cert = x.first.cert }) }, verify.CodeCertificate),
	"a certificate out of date": found(func(x *exported) {
		x.newTrail(func(s *sealer) { s.certify(x.root, noon.AddDate(0, 0, -2), noon.AddDate(0, 0, -1)) })
	}, verify.CodeCertificate),
	"a certificate from before the key's time": found(func(x *exported) {
		x.newTrail(func(s *sealer) {
			*s.clock = noon.AddDate(-1, 0, 0)
			s.certify(x.root, noon.AddDate(-2, 0, 0), noon.AddDate(1, 0, 0))
		})
	}, verify.CodeCertificate),
	"a component for which the key may not speak": found(func(x *exported) {
		x.newTrail(func(s *sealer) {
			s.component = "scheduler"
			s.renew(x.root)
		})
	}, verify.CodeCertificate),

	"an event of another component": found(func(x *exported) {
		x.newTrail(func(s *sealer) {
			ae := s.decision()
			ae.Labels[v1alpha1.LabelComponent] = "proxy"
			s.seal(ae)
			s.stored = append(s.stored, ae)
		})
	}, verify.CodeComponent),

	"a certificate of somebody unknown": {func(x *exported) {
		x.newTrail(func(s *sealer) { s.certify(newRoot(s.tb), noon, noon.AddDate(1, 0, 0)) })
	}, verify.Undetermined, []verify.Code{verify.CodeUnvouched}},
	"an event without a seal of an unknown component": {func(x *exported) {
		ae := x.at(x.first, 3).DeepCopy()
		delete(ae.Annotations, v1alpha1.AnnotationSeal)
		ae.Labels[v1alpha1.LabelComponent] = "scheduler"
		x.events = append(x.events, ae)
	}, verify.Undetermined, []verify.Code{verify.CodeNotSealed}},
	"an event that its place shortened": {func(x *exported) {
		ae := x.at(x.first, 3)
		ae.Spec.Reason, ae.Annotations["paddock.dev/omitted"] = "…", "the reason"
	}, verify.Undetermined, []verify.Code{verify.CodeShortened}},

	// What somebody puts onto the board. An honest component takes it over, and it shows nothing.
	"a head of a trail that never was": {func(x *exported) {
		made := x.forger(x.proxy, 0)
		made.id = trail.NewID()
		made.renew(newRoot(made.tb))
		made.write(9)
		made.make(canonical.KindTrailCheckpoint)
		x.newTrail(func(s *sealer) { s.tell(made) })
	}, verify.Intact, nil},
	"a head of a trail that never was, with a certificate of another": {func(x *exported) {
		made := x.forger(x.proxy, 0)
		made.id = trail.NewID()
		made.renew(x.root)
		made.cert = x.proxy.cert
		made.make(canonical.KindTrailCheckpoint)
		x.newTrail(func(s *sealer) { s.tell(made) })
	}, verify.Intact, nil},
	"a head that is too large": {func(x *exported) {
		x.newTrail(func(s *sealer) {
			s.heads = []trail.SignedHead{relabelled(s.tb, x.openEnds.head, "\n19\n", "\n1000\n")}
		})
	}, verify.Intact, nil},
	"a head with another root": {func(x *exported) {
		x.newTrail(func(s *sealer) {
			s.heads = []trail.SignedHead{relabelled(s.tb, x.openEnds.head, "\n19\n", "\n18\n")}
		})
	}, verify.Intact, nil},
	"a head in the signature of another trail": {func(x *exported) {
		x.newTrail(func(s *sealer) {
			s.heads = []trail.SignedHead{relabelled(s.tb, x.proxy.head, x.proxy.origin(), x.openEnds.origin())}
		})
	}, verify.Intact, nil},
	"an older head": {func(x *exported) {
		old := x.first.sign(trail.Head{Origin: x.first.origin(), Size: 7, Root: rootOf(x.first.all[:7])})
		x.newTrail(func(s *sealer) { s.heads = []trail.SignedHead{old} })
	}, verify.Intact, nil},

	// What cannot be told.
	"a trail deleted of which others have the head, and not the key": {func(x *exported) {
		x.newTrail(func(s *sealer) { s.heads = []trail.SignedHead{x.openEnds.head} })
		x.removeRange(x.openEnds, 0, 100)
	}, verify.Intact, nil},
	"the tail of a trail cut that nobody tells of": {func(x *exported) { x.removeRange(x.openEnds, 12, 100); x.removeRange(x.openEnds, 7, 12) }, verify.Intact, nil},
	"a trail deleted that nobody tells of":         {func(x *exported) { x.removeRange(x.openEnds, 0, 100) }, verify.Intact, nil},
	"an edit behind the last checkpoint":           {func(x *exported) { x.at(x.openEnds, 20).Spec.Reason = "other" }, verify.Intact, nil},
	"an event from before the component was sealed": {func(x *exported) {
		ae := x.at(x.first, 3).DeepCopy()
		delete(ae.Annotations, v1alpha1.AnnotationSeal)
		ae.Spec.Timestamp.Time = noon.Add(-time.Second)
		x.events = append(x.events, ae)
	}, verify.Intact, nil},
	"a fork of a stolen key behind what others hold": {func(x *exported) {
		x.removeRange(x.openEnds, 12, 100)
		f := x.forger(x.openEnds, 12)
		f.write(3)
		f.checkpoint(canonical.KindTrailCheckpoint)
		x.events = append(x.events, f.stored...)
	}, verify.Intact, nil},
}

func TestEachManipulationIsFoundByItsName(t *testing.T) {
	for name, m := range manipulations {
		t.Run(name, func(t *testing.T) {
			x := newExported(t)
			m.do(x)
			mustFindOnly(t, report(t, x.root, places{"a": x.events}, verify.Options{}), m.verdict, m.codes...)
		})
	}
}

// Of two places, one is manipulated; and then both are.
func TestManipulationsArePinnedToTheirPlace(t *testing.T) {
	for name, m := range manipulations {
		if m.verdict != verify.Tampered {
			continue
		}
		t.Run(name, func(t *testing.T) {
			x := newExported(t)
			whole := places{"whole": slices.Clone(x.events)}
			for i, ae := range x.events {
				x.events[i] = ae.DeepCopy()
			}
			m.do(x)
			whole["a"] = x.events
			r := report(t, x.root, whole, verify.Options{})
			for _, f := range r.Findings {
				if f.Level == verify.LevelTampered && f.Place == "whole" && f.Code != verify.CodeFork && f.Code != verify.CodeConflict && f.Code != verify.CodeOtherKey {
					t.Errorf("%+v", f)
				}
			}
			cut := strings.Contains(name, "tell of it") || strings.Contains(name, "all checkpoints")
			if r.Verdict != verify.Tampered && !cut {
				t.Errorf("verdict %s with %+v", r.Verdict, r.Findings)
			}
		})
	}
}

func TestManipulationsAllAtOnceAreEachFound(t *testing.T) {
	r := newRoot(t)
	var events []*v1alpha1.AuditEvent
	want := map[verify.Code]bool{}
	for _, m := range manipulations {
		x := newExportedOf(t, r)
		m.do(x)
		events = append(events, x.events...)
		for _, code := range m.codes {
			want[code] = true
		}
	}
	mustFindOnly(t, report(t, r, places{"a": events}, verify.Options{}), verify.Tampered, slices.Collect(maps.Keys(want))...)
}
