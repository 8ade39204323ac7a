package verify

import (
	"errors"
	"fmt"
	"time"

	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/reading"
)

// checkpoint is the event of a checkpoint, as one place or several have it.
type checkpoint struct {
	*trail.Checkpoint
	sighting
	time   time.Time
	closed bool
	places []int32 // that have it
	head   trail.Head
	beside string // a certificate of its key that a proof has beside it; "" for none
}

// size returns how many leaves the tree has that the checkpoint is signed over.
func (c *checkpoint) size() int64 { return c.index + 1 }

// addCheckpoint takes the event of a checkpoint, of which s is the sighting.
func (v *Verifier) addCheckpoint(t *log, r *reading.Record, s sighting) {
	for _, c := range t.checkpoints { // newest last, and copies come soon or from another source
		if c.leaf == s.leaf && c.index == s.index && c.Note == r.Event.Spec.Detail[canonical.DetailNote] {
			c.places = append(c.places, s.place)
			return
		}
	}
	parsed, err := trail.ParseCheckpoint(r.Event.Spec.Detail)
	if err != nil {
		v.found(v.of(t, &s, CodeUnreadable, LevelUndetermined, "the checkpoint cannot be read: "+err.Error()))
		return
	}
	t.checkpoints = append(t.checkpoints, &checkpoint{
		Checkpoint: parsed, sighting: s, time: r.Time, closed: r.Event.Spec.Kind == canonical.KindTrailClosed, places: []int32{s.place},
	})
}

// check holds a checkpoint against its signature. Its error says what is wrong.
func (c *checkpoint) check(id string) (code Code, err error) {
	if c.head, err = trail.OpenHead(c.Note, c.Key); err != nil {
		return CodeForged, err
	}
	_, _, of, err := trail.SplitOrigin(c.head.Origin)
	switch {
	case err != nil:
		return CodeForged, err
	case of != id:
		return CodeOtherKey, fmt.Errorf("it is one of the trail %s", of)
	case c.Index() != c.index:
		return CodeEdited, fmt.Errorf("its seal has the index %d, and it has the leaves up to %d", c.index, c.Index())
	case c.head.Size != c.size() || c.head.Root != c.root():
		return CodeEdited, errors.New("its content is not what its signature is over")
	}
	return "", nil
}

// root returns the root of the tree that the checkpoint says it completes.
func (c *checkpoint) root() trail.Hash {
	f := c.Before.Clone()
	for _, leaf := range c.Leaves {
		f.Add(leaf)
	}
	f.Add(c.leaf)
	return f.Root()
}
