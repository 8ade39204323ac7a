package verify

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

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

// vouching is what the trust says of the certificates of one key.
type vouching struct {
	by    string   // the name of the trust's key that vouches; "" for none
	wrong []string // what the trust contradicts
	open  string   // why nobody vouches
}

// vouch looks for a key of the trust that vouches for the key of checkpoints, which are good and all
// have that key, at the times of all of them.
func (v *Verifier) vouch(all []*checkpoint) (found vouching) {
	cluster, component, _, _ := trail.SplitOrigin(all[0].head.Origin) // it was checked
	found.open = "no checkpoint has a certificate"
	covered := make([]bool, len(all))
	tried := map[string]bool{}
	for _, c := range all {
		if c.Certificate == "" || tried[c.Certificate] {
			continue
		}
		tried[c.Certificate] = true
		cert, key := v.open(c.Certificate)
		switch {
		case key == nil:
			found.open = "the certificate is signed by no key of the trust"
		case cert.Key != c.Key:
			found.wrong = append(found.wrong, "the certificate is for another key than that of the trail")
		case !key.speaksFor(cluster, component):
			found.wrong = append(found.wrong, fmt.Sprintf("the key %q may not speak for %s/%s", key.Name, cluster, component))
		default:
			found.by = key.Name
			for i := range all {
				covered[i] = covered[i] || within(all[i].time, cert.NotBefore, cert.NotAfter) && within(all[i].time, key.NotBefore, key.NotAfter)
			}
		}
	}
	for i, c := range all {
		if found.by != "" && !covered[i] {
			found.wrong = append(found.wrong, fmt.Sprintf("the checkpoint of index %d is of %s, when no certificate was valid", c.index, c.time.Format(time.RFC3339)))
			break
		}
	}
	if len(found.wrong) > 0 {
		found.by = ""
	}
	return found
}

// open returns a certificate and the key of the trust that signed it; nil for none.
func (v *Verifier) open(signed string) (trail.Certificate, *Key) {
	for i := range v.trust.Keys {
		k := &v.trust.Keys[i]
		if cert, _, err := trail.OpenCertificate(signed, note.VerifierList(k.verifier)); err == nil {
			return cert, k
		}
	}
	return trail.Certificate{}, nil
}
