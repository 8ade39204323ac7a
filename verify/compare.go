package verify

import (
	"fmt"
	"slices"

	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
)

// compare says which indices of a trail are not there, and why.
func (v *Verifier) compare(t *log, all []*log) {
	v.summarise(t)
	if len(t.good) == 0 {
		if len(t.sightings) > 0 {
			v.found(ofRange(t, t.sightings[0].index, t.sightings[len(t.sightings)-1].index+1, CodeNoCheckpoint, LevelUndetermined,
				"no good checkpoint of the trail is there: nothing protects its events"))
		}
		return
	}
	a := absence{v: v, t: t, words: v.wordsOf(t, func(*checkpoint) bool { return true }), lacks: v.lacksOf(t, all)}
	for _, p := range t.present {
		a.somewhere = a.somewhere.Or(p)
	}
	a.everywhere()
	for place, present := range t.present {
		if len(present) > 0 && !slices.Contains(v.options.Partial, v.places[place]) {
			a.at(int32(place)) //nolint:gosec // there are few
		}
	}
	t.summary.Retired = a.reaped.Len()
	if t.summary.Tail > 0 {
		v.found(ofRange(t, t.size, t.summary.LastIndex+1, CodeTail, LevelNote,
			fmt.Sprintf("%d events are behind the last checkpoint: no signature protects them yet", t.summary.Tail)))
	}
	for _, r := range a.somewhere.And(trail.Ranges{{From: 0, To: t.size}}).Minus(t.covered()) {
		v.found(ofRange(t, r.From, r.To, CodeNotCovered, LevelUndetermined, "no checkpoint that is there has the leaves of these events: they are not proven one by one"))
	}
}

// summarise fills in what is said of a trail.
func (v *Verifier) summarise(t *log) {
	s := &t.summary
	s.Size, s.Checkpoints, s.Intact = t.size, len(t.good), t.intact.Len()
	for place, present := range t.present {
		if len(present) > 0 {
			s.Places = append(s.Places, v.places[place])
		}
	}
	for _, c := range t.good {
		if !c.First.IsZero() && (s.FirstTime.IsZero() || c.First.Before(s.FirstTime)) {
			s.FirstTime = c.First
		}
		if c.Last.After(s.LastTime) {
			s.LastTime = c.Last
		}
		s.Closed = s.Closed || c.closed
	}
}

// ageUnknown says why a tombstone does not settle a case.
const ageUnknown = "a tombstone says that this was deleted when its time was over, and nothing that is there of its component says how old it was"

// absence looks for the indices of a trail that are not there.
type absence struct {
	v         *Verifier
	t         *log
	words     words
	lacks     []lack
	somewhere trail.Ranges // indices that any place has
	reaped    trail.Ranges // indices that a place has lost to a reaper
}

// everywhere says why indices are in no place.
func (a *absence) everywhere() {
	v, t := a.v, a.t
	gone := trail.Ranges{{From: 0, To: t.size}}.Minus(a.somewhere).Minus(t.moved)
	s := &t.summary
	s.Failed, s.Unclear = gone.And(a.words.failed).Len(), gone.And(a.words.unclear).Len()
	a.reaped = a.retired(gone.Minus(a.words.failed).Minus(a.words.unclear), false)
	gone = gone.Minus(a.reaped)
	untold := gone.Minus(a.words.told)
	hole := untold.And(trail.Ranges{{From: 0, To: a.words.end}}.Or(nil))
	s.Unresolved = untold.Minus(hole).Len()
	var unreadable trail.Ranges
	for _, ranges := range t.unreadable {
		unreadable = unreadable.Or(ranges)
	}
	a.tell(hole.Minus(unreadable), CodeUnknown, LevelUndetermined, "this is in no place, and neither is the checkpoint that told whether it was stored")
	gone = gone.And(a.words.stored)
	a.tell(gone.And(unreadable), CodeUnreadable, LevelTampered, "the component says that this was stored, and what is there of it cannot be read")
	gone = gone.Minus(unreadable)
	before := gone.And(a.lackedAt(canonical.AnyPlace))
	a.tell(before, CodeDuplicate, LevelNote, "the component says that it had sealed the same event before, under another index")
	gone = gone.Minus(before)
	for _, l := range a.excuses(gone) {
		level := LevelUndetermined
		if slices.Contains(v.places, l.place) && a.excusedAtAll(l.indices) {
			level = LevelNote
		}
		a.tell(l.indices, CodeLost, level, "the component says that "+l.place+" will never hold this, and no other place that was read has it")
		gone = gone.Minus(l.indices)
	}
	duplicates := t.duplicates(gone)
	a.tell(duplicates, CodeDuplicate, LevelNote, "the same event is there under another index")
	gone = gone.Minus(duplicates)
	unsure := a.retired(gone, true)
	a.tell(unsure, CodeAge, LevelUndetermined, ageUnknown)
	gone = gone.Minus(unsure)
	for _, r := range v.retired[t.id] {
		if !slices.Contains(v.places, r.place) {
			elsewhere := gone.And(r.old.Or(r.unsure))
			a.tell(elsewhere, CodeReapedElsewhere, LevelUndetermined, "a tombstone says that "+r.place+
				" deleted this when its time was over, and no place of that name was read: if this is it, say so, as in "+r.place+"=FILE")
			gone = gone.Minus(elsewhere)
		}
	}
	a.tell(gone, CodeDeleted, LevelTampered, "the component says that this was stored, and it is in no place")
}

// tell reports each range of indices.
func (a *absence) tell(indices trail.Ranges, code Code, level Level, text string) {
	for _, r := range indices {
		a.v.found(ofRange(a.t, r.From, r.To, code, level, text))
	}
}

// excuses returns which of the indices that are in no place are declared absent. There are two ways:
// each place that was read, and has something of the trail, is said to lack them; or a place that was
// not read is said to lack them.
func (a *absence) excuses(gone trail.Ranges) (found []lack) {
	everywhere := gone
	for place, present := range a.t.present {
		if len(present) > 0 {
			everywhere = everywhere.And(a.lackedAt(a.v.places[place]))
		}
	}
	for _, l := range a.lacks {
		indices := l.indices.And(gone)
		if slices.Contains(a.v.places, l.place) {
			indices = indices.And(everywhere)
		}
		if len(indices) > 0 {
			found = append(found, lack{l.place, indices})
			gone, everywhere = gone.Minus(indices), everywhere.Minus(indices)
		}
	}
	return found
}

// excusedAtAll reports whether every place that has something of the trail is said to lack the indices.
func (a *absence) excusedAtAll(indices trail.Ranges) bool {
	for place, present := range a.t.present {
		if len(present) > 0 && len(indices.Minus(a.lackedAt(a.v.places[place]))) > 0 {
			return false
		}
	}
	return true
}

func (a *absence) lackedAt(place string) trail.Ranges {
	for _, l := range a.lacks {
		if l.place == place {
			return l.indices
		}
	}
	return nil
}

// at says what a place lacks that another one has. What counts are the checkpoints that the place
// has: what was stored before them has arrived there as well, however late the place is.
func (a *absence) at(place int32) {
	v, t := a.v, a.t
	here := v.wordsOf(t, func(c *checkpoint) bool { return slices.Contains(c.places, place) })
	gone := here.stored.And(a.somewhere).Minus(t.present[place]).Minus(t.moved).Minus(a.lackedAt(v.places[place])).Minus(a.lackedAt(canonical.AnyPlace))
	reaped := v.retiredAt(t.id, v.places[place])
	a.reaped, gone = a.reaped.Or(gone.And(reaped.old)), gone.Minus(reaped.old)
	for _, r := range gone.And(reaped.unsure) {
		f := ofRange(t, r.From, r.To, CodeAge, LevelUndetermined, ageUnknown)
		f.Place = v.places[place]
		v.found(f)
	}
	gone = gone.Minus(reaped.unsure)
	sure := v.wordsOf(t, func(c *checkpoint) bool {
		return slices.Contains(c.places, place) && (t.summary.Closed || c != t.good[len(t.good)-1])
	})
	for _, r := range gone.And(t.unreadable[place]) {
		f := ofRange(t, r.From, r.To, CodeUnreadable, LevelTampered, "the component says that this was stored, and what this place has of it cannot be read; another one has it")
		f.Place = v.places[place]
		v.found(f)
	}
	for _, r := range gone.Minus(t.unreadable[place]) {
		f := ofRange(t, r.From, r.To, CodeMissing, LevelTampered, "the component says that it was stored, and this place does not have it; another one has")
		if len(trail.Ranges{r}.Minus(sure.stored)) > 0 {
			f.Level = LevelUndetermined
			f.Text = "this place does not have it, and another one has: the trail ends before it could say why"
		}
		f.Place = v.places[place]
		v.found(f)
	}
}

// duplicates returns those of the indices whose leaves are those of other indices that are there.
func (t *log) duplicates(gone trail.Ranges) (found trail.Ranges) {
	if len(gone) == 0 {
		return nil
	}
	wanted := map[trail.Hash][]int64{}
	for _, r := range gone.And(t.covered()) {
		for i := r.From; i < r.To; i++ {
			leaf, _ := t.leaf(i)
			wanted[leaf] = append(wanted[leaf], i)
		}
	}
	for i := range t.sightings {
		for _, index := range wanted[t.sightings[i].leaf] {
			found = found.Or(trail.Ranges{{From: index, To: index + 1}})
		}
	}
	return found
}
