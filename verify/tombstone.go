package verify

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/reading"
)

// skew is how far the clocks of a reaper, of the API server by which it goes, and of its seal may
// be apart. A reaper whose clock is further off deletes nothing.
const skew = 5 * time.Minute

// tombstone is an event that says what a place is about to lose.
type tombstone struct {
	*trail.Tombstone
	sighting
	time time.Time
}

// addTombstone takes the event of a tombstone, of which s is the sighting.
func (v *Verifier) addTombstone(t *log, r *reading.Record, s sighting) {
	parsed, err := trail.ParseTombstone(r.Event.Spec.Detail)
	if err != nil {
		v.found(v.of(t, &s, CodeUnreadable, LevelUndetermined, "the tombstone cannot be read: "+err.Error()))
		return
	}
	t.tombstones = append(t.tombstones, &tombstone{parsed, s, r.Time})
}

// retirement is what a tombstone that is believed says of a trail.
type retirement struct {
	*tombstone
	in      *log
	indices trail.Ranges
	// limit is a time that all which the tombstone names has to be older than.
	limit time.Time
}

// retired are the indices of a trail that a place has lost to a reaper.
type retired struct {
	place string
	// old are those that the component's own word shows to be old enough. Of unsure ones there
	// is no such word left.
	old, unsure trail.Ranges
}

// believe finds out which indices tombstones excuse, and where.
func (v *Verifier) believe(all []*log) {
	byTrail := map[string][]retirement{}
	for _, t := range all {
		seen := map[int64]bool{}
		for _, b := range t.tombstones {
			leaf, proven := t.leaf(b.index)
			if t.root == "" || !proven || leaf != b.leaf || seen[b.index] {
				continue // other findings say what it is
			}
			seen[b.index] = true
			limit, ok := v.limitOf(t, b)
			for _, one := range b.Reaped {
				switch e := v.trails[one.Trail]; {
				case !ok:
				case e != nil && len(e.good) > 0 && e.summary.Cluster != t.summary.Cluster:
					v.found(v.of(t, &b.sighting, CodeNotBelieved, LevelNote, fmt.Sprintf("the tombstone is of the cluster %q, and names the trail %s of %q", t.summary.Cluster, e.id, e.summary.Cluster)))
				default:
					byTrail[one.Trail] = append(byTrail[one.Trail], retirement{b, t, one.Ranges, limit})
				}
			}
		}
		t.tombstones = nil
	}
	if len(byTrail) == 0 {
		return
	}
	heads := v.headTimes(all)
	for _, id := range slices.Sorted(maps.Keys(byTrail)) {
		v.judge(id, byTrail[id], heads[id])
	}
}

// limitOf returns the time that what a tombstone names has to be older than. ok is false when the
// tombstone does not count.
func (v *Verifier) limitOf(t *log, b *tombstone) (limit time.Time, ok bool) {
	reaps := v.trust.reaps(t.summary.Cluster, t.summary.Component)
	if reaps == 0 {
		v.found(v.of(t, &b.sighting, CodeNotBelieved, LevelNote, fmt.Sprintf("the tombstone excuses nothing: the trust does not say that %q reaps", t.summary.Component)))
		return limit, false
	}
	// A certificate bounds the time of the checkpoint, and nothing else that of the tombstone.
	at, now := b.time, time.Now()
	i := slices.IndexFunc(t.good, func(c *checkpoint) bool { return c.size() > b.index }) // there is one: the leaf is proven
	for _, other := range []time.Time{t.good[i].time, now} {
		if other.Before(at) {
			at = other
		}
	}
	limit = at.Add(skew - reaps)
	if b.Cutoff.After(limit) {
		v.found(v.of(t, &b.sighting, CodeYoung, LevelTampered, fmt.Sprintf("the tombstone is over events up to %s, which were not %s old by then: it excuses nothing", b.Cutoff.Format(time.RFC3339), reaps)))
		return limit, false
	}
	return limit, true
}

// headTime is when a trail had so many leaves at the latest.
type headTime struct {
	size int64
	time time.Time
}

// headTimes returns what the other trails of its component say of the size of each trail, where that has
// signed it.
func (v *Verifier) headTimes(all []*log) map[string][]headTime {
	first := map[trail.SignedHead]time.Time{}
	for _, by := range all {
		if by.root == "" {
			continue
		}
		for _, c := range by.good {
			for _, h := range c.Heads {
				cluster, component, _, err := trail.SplitOrigin(h.Origin)
				if err != nil || cluster != by.summary.Cluster || component != by.summary.Component {
					continue // somebody else's word
				}
				if at, seen := first[h]; !seen || c.time.Before(at) {
					first[h] = c.time
				}
			}
		}
	}
	keys, times := recordedKeys(all), map[string][]headTime{}
	for h, at := range first {
		_, _, id, _ := trail.SplitOrigin(h.Origin) // it was split before
		if !v.signed(headOf{SignedHead: h}, v.trails[id], keys[h.Origin]) {
			continue
		}
		times[id] = append(times[id], headTime{h.Size, at})
	}
	return times
}

// judge holds what tombstones name of a trail against what its component says of the age of that.
func (v *Verifier) judge(id string, all []retirement, heads []headTime) {
	var found []retired
	for _, r := range all {
		old, young := v.ages(id, &r, heads)
		if named := r.indices.And(young).Minus(old); len(named) > 0 {
			v.found(v.of(r.in, &r.sighting, CodeYoung, LevelTampered, fmt.Sprintf("the tombstone names the indices %s of the trail %s, which its component sealed after %s: it does not excuse them", clip(named.String()), id, r.limit.Format(time.RFC3339))))
		}
		i := slices.IndexFunc(found, func(f retired) bool { return f.place == r.Place })
		if i < 0 {
			i = len(found)
			found = append(found, retired{place: r.Place})
		}
		known := r.indices.And(old)
		found[i].unsure = found[i].unsure.Or(r.indices.Minus(old).Minus(young))
		if last := len(known) - 1; last >= 0 && r.Checkpoints {
			known = trail.Ranges{{From: 0, To: known[last].To}}
		}
		found[i].old = found[i].old.Or(known)
	}
	v.retired[id] = found
}

// ages says which indices of a trail its component says to be older than the limit of a
// retirement, and which to be younger.
//
// A checkpoint is younger than what it covers. It also tells the time of the latest and the
// earliest event among those that it carries: a component may seal an event long after its
// time, which is what counts for a reaper. So an event is young when its time is, and an
// earlier checkpoint as well.
func (v *Verifier) ages(id string, r *retirement, heads []headTime) (old, young trail.Ranges) {
	end, from := int64(0), int64(trail.MaxIndex)
	if t := v.trails[id]; t != nil && t.root != "" {
		for _, c := range t.good {
			if c.time.After(r.limit) {
				from = min(from, c.size())
			} else {
				end = max(end, c.size())
			}
			carried := trail.Range{From: c.Before.Size(), To: c.index}
			switch {
			case c.First.IsZero():
			case !c.Last.After(r.limit):
				old = append(old, carried)
			case c.First.After(r.limit):
				young = append(young, carried)
			}
		}
	}
	for _, h := range heads {
		if !h.time.After(r.limit) {
			end = max(end, h.size)
		}
	}
	behind := trail.Ranges{{From: from, To: trail.MaxIndex}}.Or(nil)
	if young = young.Or(nil).And(behind); r.Checkpoints {
		young = behind // they were sealed at their own time
	}
	return old.Or(trail.Ranges{{From: 0, To: end}}), young
}

// clip returns the beginning of a long list of ranges.
func clip(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}

// retiredAt returns what a place has lost of a trail.
func (v *Verifier) retiredAt(id, place string) retired {
	for _, r := range v.retired[id] {
		if r.place == place {
			return r
		}
	}
	return retired{}
}

// retired returns those of the indices that are nowhere which were reaped: each place that was read,
// and has something of the trail, has lost them to a reaper or is said to lack them. With unsure,
// those are meant as well of which nobody tells the age.
func (a *absence) retired(gone trail.Ranges, unsure bool) trail.Ranges {
	var reaped trail.Ranges
	for place, present := range a.t.present {
		name := a.v.places[place]
		if len(present) == 0 || slices.Contains(a.v.options.Partial, name) {
			continue
		}
		here := a.v.retiredAt(a.t.id, name)
		if unsure {
			here.old = here.old.Or(here.unsure)
		}
		reaped = reaped.Or(here.old)
		gone = gone.And(here.old.Or(a.lackedAt(name)))
	}
	return gone.And(reaped)
}

// retiredHead reports whether a reaper deleted the checkpoint of a head wherever one looks for it,
// which are the places that have something of the trail that tells of it. A checkpoint outlives what
// it covers. With unsure it is enough that nobody tells the age of the checkpoint.
func (v *Verifier) retiredHead(id string, h headOf, unsure bool) bool {
	some := false
	for place, present := range h.by.present {
		name := v.places[place]
		if len(present) == 0 || slices.Contains(v.options.Partial, name) {
			continue
		}
		here := v.retiredAt(id, name)
		if !here.old.Has(h.Size-1) && !(unsure && here.unsure.Has(h.Size-1)) {
			return false
		}
		some = true
	}
	return some
}
