package verify

import (
	"fmt"
	"slices"

	"github.com/paddock-dev/audit/internal/trail"
)

// explain holds each event against the leaves that are proven, and says what it is when it is not
// the one that was sealed.
func (v *Verifier) explain(all []*log) {
	elsewhere := map[trail.Hash]leafAt{}
	for _, t := range all {
		t.present = make([]trail.Ranges, len(v.places))
		for group := range groups(t.sightings) {
			v.look(t, group)
		}
		for _, s := range t.suspects {
			elsewhere[s.leaf] = leafAt{}
		}
	}
	if len(elsewhere) > 0 {
		for _, t := range all {
			for i := range t.known {
				for n, leaf := range t.known[i].leaves {
					if _, asked := elsewhere[leaf]; asked {
						elsewhere[leaf] = leafAt{t, t.known[i].from + int64(n)}
					}
				}
			}
		}
	}
	for _, t := range all {
		for _, s := range t.suspects {
			v.accuse(t, s, elsewhere[s.leaf])
		}
	}
}

// leafAt is where a leaf is proven to be.
type leafAt struct {
	trail *log
	index int64
}

// groups yields the sightings of each index.
func groups(all []sighting) func(yield func([]sighting) bool) {
	return func(yield func([]sighting) bool) {
		for len(all) > 0 {
			n := 1
			for n < len(all) && all[n].index == all[0].index {
				n++
			}
			if !yield(all[:n]) {
				return
			}
			all = all[n:]
		}
	}
}

// look notes which sightings of one index are intact, and which are suspects.
func (v *Verifier) look(t *log, group []sighting) {
	index := group[0].index
	if t.summary.FirstIndex < 0 {
		t.summary.FirstIndex = index
	}
	t.summary.LastIndex = index
	for i := range group {
		if i > 0 && group[i-1].place == group[i].place {
			t.summary.Repeats++
			continue
		}
		t.present[group[i].place].Add(index)
	}
	leaf, proven := t.leaf(index)
	if !proven {
		v.lookAtUnproven(t, group)
		return
	}
	for i := range group {
		switch s := &group[i]; {
		case s.leaf == leaf:
			if !t.intact.Has(index) {
				t.intact.Add(index)
			}
		case !slices.Contains(t.told, s.leaf):
			t.suspects = append(t.suspects, s)
		}
	}
}

// lookAtUnproven looks at the sightings of an index for which no signature stands.
func (v *Verifier) lookAtUnproven(t *log, group []sighting) {
	s := &group[0]
	closed := len(t.good) > 0 && t.good[len(t.good)-1].closed
	switch {
	case s.index < t.size: // compare tells of it
	case closed:
		for i := range group {
			v.found(v.of(t, &group[i], CodeMadeUp, LevelTampered, fmt.Sprintf("the trail was closed at the index %d, and this seal is behind it", t.size-1)))
		}
		return
	default:
		t.summary.Tail++
	}
	for i := range group[1:] {
		other := &group[i+1]
		if other.leaf == s.leaf || slices.Contains(t.told, other.leaf) {
			continue
		}
		if level, text, is := v.short(other, trail.Hash{}); is && other.place != s.place {
			v.found(v.of(t, other, CodeShortened, level, text))
		} else if level, text, is := v.short(s, trail.Hash{}); is && other.place != s.place {
			v.found(v.of(t, s, CodeShortened, level, text))
		} else {
			v.found(v.of(t, other, CodeConflict, LevelTampered, fmt.Sprintf("it has the seal of %s (%s %s), and another content: no signature says which is right",
				s.name(), v.places[s.place], s.at())))
		}
	}
}

// accuse says what an event is that is not the one which was sealed under its index.
func (v *Verifier) accuse(t *log, s *sighting, sealed leafAt) {
	var f Finding
	leaf, _ := t.leaf(s.index)
	twin := t.twin(s)
	level, text, short := v.short(s, leaf)
	switch {
	case sealed.trail == t:
		t.moved.Add(sealed.index)
		f = v.of(t, s, CodeSwapped, LevelTampered, fmt.Sprintf("it was sealed under the index %d", sealed.index))
	case sealed.trail != nil:
		sealed.trail.moved.Add(sealed.index)
		f = v.of(t, s, CodeSwapped, LevelTampered, fmt.Sprintf("it was sealed in the trail %s under the index %d", sealed.trail.id, sealed.index))
	case short && (twin == nil || twin.place != s.place):
		f = v.of(t, s, CodeShortened, level, text)
	case twin != nil && twin.name() != s.name():
		f = v.of(t, s, CodeReplayed, LevelTampered, "it has the seal of "+twin.name())
	case twin != nil:
		f = v.of(t, s, CodeEdited, LevelTampered, fmt.Sprintf("it is not what was sealed; %s has that (%s)", v.places[twin.place], twin.at()))
	default:
		f = v.of(t, s, CodeEdited, LevelTampered, "it is not what was sealed")
	}
	v.found(f)
}

// twin returns the intact event of the same index; nil for none. One at the same place is preferred.
func (t *log) twin(s *sighting) (found *sighting) {
	leaf, _ := t.leaf(s.index)
	i, _ := slices.BinarySearchFunc(t.sightings, s.index, func(o sighting, index int64) int { return int(max(-1, min(1, o.index-index))) })
	for ; i < len(t.sightings) && t.sightings[i].index == s.index; i++ {
		if o := &t.sightings[i]; o.leaf == leaf && (found == nil || o.place == s.place) {
			found = o
		}
	}
	return found
}
