package verify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/paddock-dev/audit/internal/trail"
)

// holdHeads holds the trails against what the checkpoints of other trails say of them. What a trail
// says for which nobody vouches does not count. It returns how many indices are gone with the
// checkpoints of their trails, because a reaper deleted those.
func (v *Verifier) holdHeads(all []*log) (reaped int64) {
	ahead := map[string]headOf{} // the greatest head of each trail that is ahead of it
	held := map[trail.Head]bool{}
	for _, by := range all {
		if by.root == "" {
			continue
		}
		for _, c := range by.good {
			if !v.counts(c) {
				continue
			}
			for _, h := range c.Heads {
				_, _, id, err := trail.SplitOrigin(h.Origin)
				if err != nil || held[h] {
					continue // a checkpoint with such a head is not parsed
				}
				held[h] = true
				if t := v.trails[id]; t != nil && h.Size <= t.size {
					v.holdHead(t, h, c)
				} else if h.Size > ahead[id].Size {
					ahead[id] = headOf{h, by}
				}
			}
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(ahead), cmp.Compare) {
		reaped += v.reportAhead(id, ahead[id])
	}
	return reaped
}

// headOf is a head and the trail that tells of it.
type headOf struct {
	trail.Head
	by *log
}

// holdHead holds a trail against a head that is not ahead of it.
func (v *Verifier) holdHead(t *log, h trail.Head, by *checkpoint) {
	root, known := t.rootAt(h.Size)
	if !known || root == h.Root {
		return
	}
	f := ofRange(t, h.Size-1, h.Size, CodeFork, LevelTampered, "the checkpoint of another trail tells of another state of this one")
	for _, c := range t.good {
		if c.size() >= h.Size {
			f.Notes = []string{c.Note, by.Note}
			f.Text = fmt.Sprintf("the checkpoint %s of another trail tells of another state of this one at %d leaves: %s", by.name(), h.Size, h.Root)
			break
		}
	}
	v.found(f)
}

// reportAhead tells of a trail that is shorter than another trail says, or is not there. It returns
// how many indices are not there because a reaper deleted them.
func (v *Verifier) reportAhead(id string, h headOf) (reaped int64) {
	cluster, component, _, _ := trail.SplitOrigin(h.Origin) // it was split before
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
		v.found(ofRange(t, t.size, h.Size, CodeTailCut, LevelTampered,
			fmt.Sprintf("the trail %s tells of %d leaves, and the checkpoints that are there end at %d", h.by.id, h.Size, t.size)))
		return 0
	}
	f := Finding{Code: CodeTrailDeleted, Level: LevelTampered, Trail: id, Index: 0, Last: h.Size - 1, Text: fmt.Sprintf("the trail %s tells of %d leaves of %s, and no good checkpoint of that is there", h.by.id, h.Size, h.Origin)}
	if t == nil && !v.trust.expects(cluster, component) {
		f.Level = LevelNote
		f.Text += "; the trust does not expect its component"
	}
	v.found(f)
	return 0
}
