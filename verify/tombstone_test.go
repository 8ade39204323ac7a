package verify_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/verify"
)

const day = 24 * time.Hour

// reaping is a trail of the broker, and that of a reaper.
type reaping struct {
	*sealer // of the broker: 0 opens it, 1-5, 6 is a checkpoint, 7-11, 12 closes it

	reaper *sealer
	stone  trail.Tombstone // over 2-4, of ten days later; the trust of a root asks for seven
}

func newReaping(t *testing.T, r *root) *reaping {
	t.Helper()
	x := &reaping{sealer: newSealer(t, r, "broker")}
	x.certify(r, noon.Add(-time.Hour), noon.Add(100*day))
	x.reaper = x.reaperOf(r, "audit-reaper")
	x.write(5)
	x.checkpoint(canonical.KindTrailCheckpoint)
	x.write(5)
	x.close()
	x.stone = trail.Tombstone{Place: "cluster", Keep: "7d", Cutoff: noon.Add(3 * day)}
	x.names(2, 5)
	return x
}

// reaperOf begins the trail of a component that writes tombstones.
func (x *reaping) reaperOf(r *root, component string) *sealer {
	s := newSealer(x.tb, r, component)
	s.certify(r, noon.Add(-time.Hour), noon.AddDate(200, 0, 0))
	return s
}

// names has the tombstone name these indices of the broker alone.
func (x *reaping) names(from, to int64) {
	x.stone.Reaped = []trail.Reaped{{Trail: x.id, Ranges: trail.Ranges{{From: from, To: to}}}}
}

// bury has a reaper store the tombstone, at a time.
func (x *reaping) bury(reaper *sealer, at time.Time) *v1alpha1.AuditEvent {
	*reaper.clock = at
	ae := reaper.event(canonical.KindTrailReaped)
	ae.Spec.Detail = x.stone.Detail()
	reaper.seal(ae)
	reaper.stored = append(reaper.stored, ae)
	return ae
}

// buried is what there is after an honest reaper: its trail, and the broker's without some indices.
func (x *reaping) buried(from, to int) []*v1alpha1.AuditEvent {
	x.bury(x.reaper, noon.Add(10*day))
	x.reaper.checkpoint(canonical.KindTrailCheckpoint)
	return slices.Concat(x.reaper.stored, without(x.sealer, from, to))
}

func TestTombstonesExcuseWhatWasOldAlone(t *testing.T) {
	r := newRoot(t)
	for name, c := range map[string]struct {
		do      func(x *reaping) places
		verdict verify.Verdict
		retired int64
		codes   []verify.Code
	}{
		"reaped": {func(x *reaping) places { return places{"cluster": x.buried(2, 5)} }, verify.Intact, 3, nil},
		"killed before it deletes": {func(x *reaping) places {
			return places{"cluster": x.buried(0, 0)}
		}, verify.Intact, 0, nil},
		"killed before the checkpoint": {func(x *reaping) places {
			x.bury(x.reaper, noon.Add(10*day))
			return places{"cluster": slices.Concat(x.reaper.stored, x.stored)}
		}, verify.Intact, 0, nil},
		"named twice, and copied": {func(x *reaping) places {
			x.bury(x.reaper, noon.Add(10*day))
			all := x.buried(2, 5)
			return places{"cluster": slices.Concat(all, x.reaper.stored)}
		}, verify.Intact, 3, nil},
		"another one is gone too": {func(x *reaping) places { return places{"cluster": x.buried(1, 5)} }, verify.Tampered, 3, []verify.Code{verify.CodeDeleted}},
		"no checkpoint covers the tombstone": {func(x *reaping) places {
			x.bury(x.reaper, noon.Add(10*day))
			return places{"cluster": slices.Concat(x.reaper.stored, without(x.sealer, 2, 5))}
		}, verify.Tampered, 0, []verify.Code{verify.CodeDeleted}},
		"over young events": {func(x *reaping) places {
			x.stone.Cutoff = noon.Add(9 * day)
			return places{"cluster": x.buried(2, 5)}
		}, verify.Tampered, 0, []verify.Code{verify.CodeDeleted, verify.CodeYoung}},
		"over young events, and dated ahead": {func(x *reaping) places {
			x.stone.Cutoff = noon.AddDate(98, 0, 0)
			x.bury(x.reaper, noon.AddDate(99, 0, 0))
			x.reaper.checkpoint(canonical.KindTrailCheckpoint)
			return places{"cluster": slices.Concat(x.reaper.stored, without(x.sealer, 2, 5))}
		}, verify.Tampered, 0, []verify.Code{verify.CodeDeleted, verify.CodeYoung}},
		"over events of which it lies": {func(x *reaping) places {
			*x.clock = noon.Add(4 * day)
			x.checkpoint(canonical.KindTrailCheckpoint) // 13; the trail goes on
			x.spanFrom = noon.Add(4 * day)
			x.write(3)
			x.checkpoint(canonical.KindTrailCheckpoint)
			x.names(14, 16)
			return places{"cluster": x.buried(14, 16)}
		}, verify.Tampered, 0, []verify.Code{verify.CodeDeleted, verify.CodeYoung}},
		"over events of nobody knows what age": {func(x *reaping) places {
			*x.clock = noon.Add(4 * day)
			x.write(3)
			x.checkpoint(canonical.KindTrailCheckpoint)
			x.names(13, 15)
			return places{"cluster": x.buried(13, 15)}
		}, verify.Undetermined, 0, []verify.Code{verify.CodeAge}},
		"of a component that does not reap": {func(x *reaping) places {
			x.reaper = x.reaperOf(r, "proxy")
			return places{"cluster": x.buried(2, 5)}
		}, verify.Tampered, 0, []verify.Code{verify.CodeDeleted}},
		"of a reaper whom nobody knows": {func(x *reaping) places {
			x.reaper = x.reaperOf(newRoot(t), "audit-reaper")
			return places{"cluster": slices.Concat(x.buried(2, 5), newSealer(t, r, "proxy").stored)}
		}, verify.Tampered, 0, []verify.Code{verify.CodeDeleted, verify.CodeUnvouched}},
		"without a seal": {func(x *reaping) places {
			delete(x.bury(x.reaper, noon.Add(10*day)).Annotations, v1alpha1.AnnotationSeal)
			return places{"cluster": slices.Concat(x.reaper.stored, without(x.sealer, 2, 5))}
		}, verify.Tampered, 0, []verify.Code{verify.CodeDeleted}},
		"edited": {func(x *reaping) places {
			all := x.buried(1, 5)
			d := x.reaper.stored[1].Spec.Detail
			d["reaped"] = strings.Replace(d["reaped"], " 2-4", " 1-4", 1)
			return places{"cluster": all}
		}, verify.Tampered, 0, []verify.Code{verify.CodeDeleted, verify.CodeEdited}},
		"spoilt": {func(x *reaping) places {
			all := x.buried(0, 0)
			x.reaper.stored[1].Spec.Detail["reaped"] = "x"
			return places{"cluster": all}
		}, verify.Tampered, 0, []verify.Code{verify.CodeEdited, verify.CodeUnreadable}},

		"of a place that was not read": {func(x *reaping) places { return places{"files": x.buried(2, 5)} }, verify.Undetermined, 0, []verify.Code{verify.CodeReapedElsewhere}},
		"and another place has them": {func(x *reaping) places {
			return places{"cluster": x.buried(2, 5), "lake": slices.Concat(x.reaper.stored, x.stored)}
		}, verify.Intact, 3, nil},
		"and the archive has them": {func(x *reaping) places {
			return places{"cluster": x.buried(2, 5), "archive": x.stored[2:5]}
		}, verify.Intact, 3, nil},
		"and another place lacks them": {func(x *reaping) places {
			all := x.buried(2, 5)
			return places{"cluster": all, "lake": all}
		}, verify.Tampered, 0, []verify.Code{verify.CodeDeleted}},
		"another place alone lacks them": {func(x *reaping) places {
			all := x.buried(2, 5)
			return places{"cluster": slices.Concat(x.reaper.stored, x.stored), "lake": all}
		}, verify.Tampered, 0, []verify.Code{verify.CodeMissing}},

		"checkpoints, long after their events": {func(x *reaping) places {
			x.names(6, 7)
			x.stone.Checkpoints = true
			return places{"cluster": x.buried(0, 7)}
		}, verify.Intact, 7, nil},
		"checkpoints that are said to be events": {func(x *reaping) places {
			x.names(6, 7)
			return places{"cluster": x.buried(0, 7)}
		}, verify.Undetermined, 1, []verify.Code{verify.CodeUnknown}},
		"a trail as a whole": {func(x *reaping) places {
			x.names(12, 13)
			x.stone.Checkpoints = true
			return places{"cluster": slices.Concat(x.buried(0, 13), x.next(noon.Add(day)))}
		}, verify.Intact, 13, nil},
		"the end of a trail first": {func(x *reaping) places {
			x.names(12, 13)
			x.stone.Checkpoints = true
			return places{"cluster": slices.Concat(x.buried(7, 13), x.next(noon.Add(day)))}
		}, verify.Intact, 6, nil},
		"a trail as a whole, and another place had it": {func(x *reaping) places {
			x.names(12, 13)
			x.stone.Checkpoints = true
			all, next := x.buried(0, 13), x.next(noon.Add(day))
			return places{"cluster": slices.Concat(all, next), "lake": next}
		}, verify.Tampered, 0, []verify.Code{verify.CodeTrailDeleted}},
		"a trail as a whole of nobody knows what age": {func(x *reaping) places {
			x.names(12, 13)
			x.stone.Checkpoints = true
			return places{"cluster": slices.Concat(x.buried(0, 13), x.next(noon.Add(4*day)))}
		}, verify.Undetermined, 0, []verify.Code{verify.CodeAge}},
		"a trail as a whole, by a head that it has not signed": {func(x *reaping) places {
			x.names(12, 13)
			x.stone.Checkpoints = true
			late, honest := x.next(noon.Add(4*day)), x.head
			x.head.Root = trail.HashLeaf(nil) // as somebody may have put it onto the board
			early := x.next(noon.Add(day))
			x.head = honest
			return places{"cluster": slices.Concat(x.buried(0, 13), early, late)}
		}, verify.Undetermined, 0, []verify.Code{verify.CodeAge}},
		"a trail as a whole, by the word of the reaper": {func(x *reaping) places {
			x.names(12, 13)
			x.stone.Checkpoints = true
			x.reaper.tell(x.sealer)
			return places{"cluster": slices.Concat(x.buried(0, 13), newSealer(t, r, "proxy").stored)}
		}, verify.Undetermined, 0, []verify.Code{verify.CodeAge}},
	} {
		t.Run(name, func(t *testing.T) {
			got := report(t, r, c.do(newReaping(t, r)), verify.Options{})
			mustFindOnly(t, got, c.verdict, c.codes...)
			if got.Retired != c.retired {
				t.Errorf("%d are retired, want %d", got.Retired, c.retired)
			}
		})
	}
}

// next is the trail of the broker that follows, which has heads of the first one from a time on.
func (x *reaping) next(from time.Time) []*v1alpha1.AuditEvent {
	s := *x.sealer
	s.id, s.all, s.stored, s.from, s.settled = trail.NewID(), nil, nil, 0, 0
	var err error
	if s.signer, s.key, err = trail.NewKey(s.origin()); err != nil {
		x.tb.Fatal(err)
	}
	s.certify(x.root, noon.Add(-time.Hour), noon.Add(100*day))
	s.heads, s.keys, s.clock = nil, nil, new(from)
	s.tell(x.sealer)
	s.checkpoint(canonical.KindTrailOpened)
	return s.stored
}

func TestTombstoneThatIsNotBelievedIsNoted(t *testing.T) {
	r := newRoot(t)
	x := newReaping(t, r)
	x.reaper = x.reaperOf(r, "proxy")
	got := report(t, r, places{"cluster": x.buried(0, 0)}, verify.Options{})
	mustFindOnly(t, got, verify.Intact)
	if !slices.ContainsFunc(got.Findings, func(f verify.Finding) bool { return f.Code == verify.CodeNotBelieved && f.Index == 1 }) {
		t.Errorf("%+v", got.Findings)
	}
}
