package verify

import (
	"context"
	"slices"
	"strings"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/reading"
)

// wholeEvent is the event of another place that a shortened one was compared with. made says that
// the short one was made of it.
type wholeEvent struct {
	leaf trail.Hash
	made bool
}

// pair is an event that was shortened, and the event of its index at another place.
type pair struct{ short, whole *sighting }

// atOnce is how many pairs are held in memory.
const atOnce = 100

// compareShortened reads the events again that a place shortened, and those that other places have
// of them.
func (v *Verifier) compareShortened(ctx context.Context, sources []reading.Source) error {
	var pairs []pair
	for _, t := range v.trails {
		pairs = append(pairs, t.pairs()...)
	}
	for some := range slices.Chunk(pairs, atOnce) {
		events := v.eventsOf(ctx, some, sources)
		for _, p := range some {
			short, whole := events[p.short.leaf], events[p.whole.leaf]
			if short == nil || whole == nil || v.shortOf[p.short.leaf].made {
				continue // a source that can be read once does not have them any more
			}
			v.shortOf[p.short.leaf] = wholeEvent{p.whole.leaf, reading.ShortenedFrom(short, whole)}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// pairs returns the events of a trail that were shortened, each with those of other places that
// are not the same.
func (t *log) pairs() (all []pair) {
	short := map[int64][]*sighting{}
	for i := range t.sightings {
		if s := &t.sightings[i]; s.shortened {
			short[s.index] = append(short[s.index], s)
		}
	}
	for i := range t.sightings {
		whole := &t.sightings[i]
		for _, s := range short[whole.index] {
			if whole.leaf != s.leaf && whole.place != s.place {
				all = append(all, pair{s, whole})
			}
		}
	}
	return all
}

// eventsOf reads the events of pairs, by their leaves.
func (v *Verifier) eventsOf(ctx context.Context, pairs []pair, sources []reading.Source) map[trail.Hash]*v1alpha1.AuditEvent {
	q := &reading.Query{Strict: true}
	events := map[trail.Hash]*v1alpha1.AuditEvent{}
	for _, p := range pairs {
		for _, s := range []*sighting{p.short, p.whole} {
			_, name, _ := strings.Cut(s.name(), "/")
			q.Names = append(q.Names, name)
			events[s.leaf] = nil
		}
	}
	for _, source := range sources {
		for r, err := range source.Read(ctx, q) {
			if err != nil {
				continue // it was told when all was read
			}
			seal, err := trail.ParseSeal(r.Event.Annotations[v1alpha1.AnnotationSeal])
			if err != nil {
				continue
			}
			leaf := v.leaf(seal, r.Event)
			if _, wanted := events[leaf]; wanted {
				events[leaf] = r.Event
			}
		}
	}
	return events
}

// short reports whether an event, which is not the one that was sealed, is one that its place
// shortened. leaf is what was sealed; the zero Hash where that is not known.
func (v *Verifier) short(s *sighting, leaf trail.Hash) (level Level, text string, is bool) {
	whole, compared := v.shortOf[s.leaf]
	switch {
	case !s.shortened || compared && (!whole.made || leaf != trail.Hash{} && leaf != whole.leaf):
		return "", "", false
	case compared:
		return LevelNote, "the place shortened texts of the event, which another place has whole", true
	}
	return LevelUndetermined, "the place shortened texts of the event: its position is stated, and its content is not proven there", true
}
