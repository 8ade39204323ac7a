package verify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/internal/trail"
)

// headOf is a head, and the checkpoint of another trail that tells of it.
type headOf struct {
	trail.SignedHead

	by   *log   // that trail
	note string // of the checkpoint
}

// holdHeads holds the trails against the heads that the checkpoints of other trails have of them. What a
// trail says for which nobody vouches does not count. A head that its own trail has not signed shows
// nothing: components take heads from where anybody may write. It returns how many indices are gone with
// the checkpoints of their trails, because a reaper deleted those.
func (v *Verifier) holdHeads(all []*log) (reaped int64) {
	keys := recordedKeys(all)
	ahead, unproven := map[string]headOf{}, map[string]headOf{} // the greatest of each trail
	held := map[trail.SignedHead]bool{}
	for _, by := range all {
		if by.root == "" {
			continue
		}
		for _, c := range by.good {
			for _, signed := range c.Heads {
				h := headOf{signed, by, c.Note}
				if held[signed] || !v.counts(c) {
					continue
				}
				held[signed] = true
				_, _, id, _ := trail.SplitOrigin(h.Origin) // it was split when it was parsed
				t := v.trails[id]
				longer := t == nil || h.Size > t.size
				switch {
				case !longer && t.agrees(h):
				case !v.signed(h, t, keys[h.Origin]):
					keepGreatest(unproven, id, h)
				case longer:
					keepGreatest(ahead, id, h)
				default:
					v.reportOther(t, h)
				}
			}
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(ahead), cmp.Compare) {
		reaped += v.reportAhead(id, ahead[id], all)
	}
	for _, id := range slices.SortedFunc(maps.Keys(unproven), cmp.Compare) {
		h := unproven[id]
		v.found(Finding{
			Code: CodeHead, Level: LevelNote, Trail: id, Index: -1, Last: -1,
			Text: fmt.Sprintf("the trail %s tells of %d leaves of %s, and no key of that trail that is known has signed this: somebody else may have made it up", h.by.id, h.Size, h.Origin),
		})
	}
	return reaped
}

func keepGreatest(all map[string]headOf, id string, h headOf) {
	if h.Size > all[id].Size {
		all[id] = h
	}
}

// recordedKeys returns the keys of other trails that checkpoints have, by the origins of those.
func recordedKeys(all []*log) map[string][]trail.OtherKey {
	keys := map[string][]trail.OtherKey{}
	for _, by := range all {
		for _, c := range by.good {
			for _, k := range c.Keys {
				verifier, err := note.NewVerifier(k.Key)
				if err == nil && !slices.Contains(keys[verifier.Name()], k) {
					keys[verifier.Name()] = append(keys[verifier.Name()], k)
				}
			}
		}
	}
	return keys
}

// signed reports whether the trail of a head has signed it, with the key that its own checkpoints have or with
// one that the trust vouches for. t is that trail; nil if nothing of it is there.
func (v *Verifier) signed(h headOf, t *log, keys []trail.OtherKey) bool {
	if t != nil && len(t.good) > 0 && h.Open(t.good[0].Key) == nil {
		return true
	}
	return slices.ContainsFunc(keys, func(k trail.OtherKey) bool { return v.vouchesFor(k) && h.Open(k.Key) == nil })
}

// vouchesFor reports whether the trust ever vouched for the key of a trail. A head has no time of its own.
func (v *Verifier) vouchesFor(k trail.OtherKey) bool {
	verifier, err := note.NewVerifier(k.Key)
	if err != nil {
		return false
	}
	cluster, component, _, err := trail.SplitOrigin(verifier.Name())
	if err != nil {
		return false
	}
	g, wrong, open := v.trust.grant(k.Certificate, k.Key, cluster, component)
	return wrong == "" && open == "" && (g.until.IsZero() || !g.until.Before(g.since))
}

// agrees reports whether a head that is not ahead of the trail is one of its states, as far as is known.
func (t *log) agrees(h headOf) bool {
	root, known := t.rootAt(h.Size)
	return !known || root == h.Root
}

// reportOther reports a head that is another state of a trail than that which is there.
func (v *Verifier) reportOther(t *log, h headOf) {
	f := ofRange(t, h.Size-1, h.Size, CodeFork, LevelTampered,
		fmt.Sprintf("the trail %s tells of another state of this one at %d leaves: %s", h.by.id, h.Size, h.Root))
	f.Notes = []string{h.Note()}
	if i := slices.IndexFunc(t.good, func(c *checkpoint) bool { return c.size() >= h.Size }); i >= 0 {
		f.Notes = []string{t.good[i].Note, h.Note()}
	}
	v.found(f)
}

// reportAhead tells of a trail that is shorter than another trail says, or is not there. It returns
// how many indices are not there because a reaper deleted them.
func (v *Verifier) reportAhead(id string, h headOf, all []*log) (reaped int64) {
	t := v.trails[id]
	size := int64(0)
	if t != nil {
		size = t.size
	}
	if v.retiredHead(id, h, false) {
		return h.Size - size
	}
	if v.retiredHead(id, h, true) {
		v.found(Finding{Code: CodeAge, Level: LevelUndetermined, Trail: id, Index: size, Last: h.Size - 1, Text: ageUnknown})
		return 0
	}
	if t != nil && len(t.good) > 0 {
		f := ofRange(t, t.size, h.Size, CodeTailCut, LevelTampered,
			fmt.Sprintf("the trail %s tells of %d leaves, and the checkpoints that are there end at %d", h.by.id, h.Size, t.size))
		f.Notes = []string{t.good[len(t.good)-1].Note, h.Note()}
		v.found(f)
		return 0
	}
	cluster, component, _, _ := trail.SplitOrigin(h.Origin) // it was split when it was parsed
	f := Finding{
		Code: CodeTrailDeleted, Level: LevelTampered, Trail: id, Index: 0, Last: h.Size - 1, Notes: []string{h.note, h.Note()},
		Text: fmt.Sprintf("the trail %s tells of %d leaves of %s, and no good checkpoint of that is there", h.by.id, h.Size, h.Origin),
	}
	if !slices.ContainsFunc(all, func(t *log) bool { return t.summary.Cluster == cluster && t.summary.Component == component }) {
		f.Text += ", nor of another trail of its component: if you left its sources out, give them too"
	}
	if t == nil && !v.trust.expects(cluster, component) {
		f.Level = LevelNote
		f.Text += "; the trust does not expect its component"
	}
	v.found(f)
	return 0
}
