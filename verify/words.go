package verify

import (
	"slices"

	"github.com/paddock-dev/audit/internal/trail"
)

// words are what the checkpoints of a trail say of the outcomes of its indices.
type words struct {
	stored, failed, unclear trail.Ranges
	// told are the indices of which anything is said.
	told trail.Ranges
	// end is behind the last of them.
	end int64
}

func (w *words) add(c *checkpoint) {
	all := trail.Ranges{c.Settled}.Or(nil) // none when it is empty
	stored := all.Minus(c.Failed).Minus(c.Unclear)
	w.stored = w.stored.Or(stored).Or(c.Stored)
	w.failed = w.failed.Or(c.Failed)
	w.unclear = w.unclear.Or(c.Unclear)
	w.told = w.told.Or(all).Or(c.Failed).Or(c.Unclear).Or(c.Stored)
	w.end = max(w.end, c.Settled.To)
}

// counts reports whether what a checkpoint says of other events is held against them.
func (v *Verifier) counts(c *checkpoint) bool {
	return v.options.Before.IsZero() || c.time.Before(v.options.Before)
}

// wordsOf returns what the checkpoints that take is true for say. A later word that is weaker
// than an earlier "stored" does not count.
func (v *Verifier) wordsOf(t *log, take func(*checkpoint) bool) (w words) {
	for _, c := range t.good {
		if v.counts(c) && take(c) {
			w.add(c)
		}
	}
	whole := trail.Ranges{{From: 0, To: t.size}}.Or(nil)
	w.stored, w.told = w.stored.And(whole), w.told.And(whole)
	w.failed = w.failed.And(whole).Minus(w.stored)
	w.unclear = w.unclear.And(whole).Minus(w.stored).Minus(w.failed)
	return w
}

// lack is what the checkpoints say of a place: it will never hold these indices.
type lack struct {
	place   string
	indices trail.Ranges
}

// lacksOf returns what the checkpoints of the same component say of places that lack events of the
// trail, the places in the order of their first mention.
func (v *Verifier) lacksOf(t *log, all []*log) (found []lack) {
	for _, by := range all {
		if by.summary.Cluster != t.summary.Cluster || by.summary.Component != t.summary.Component || by.root != t.root {
			continue
		}
		for _, c := range by.good {
			for _, l := range c.Lacks {
				if l.Trail != t.id {
					continue
				}
				i := slices.IndexFunc(found, func(f lack) bool { return f.place == l.Place })
				if i < 0 {
					i = len(found)
					found = append(found, lack{place: l.Place})
				}
				found[i].indices = found[i].indices.Or(l.Ranges)
			}
		}
	}
	return found
}
