package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/reading"
)

// Proof shows that one event was sealed, without the other events of its trail.
type Proof struct {
	// Event has its seal in the annotation paddock.dev/seal.
	Event json.RawMessage `json:"event"`
	// Hashes lead from the leaf of the event to the root of the tree (RFC 6962, section 2.1.1).
	Hashes []tlog.Hash `json:"hashes"`
	// Checkpoint is the event that has the signed root, in spec.detail.note.
	Checkpoint json.RawMessage `json:"checkpoint"`
	// Certificate binds the key of the trail to its component, where the checkpoint has none.
	Certificate string `json:"certificate,omitempty"`
}

// Prove returns a proof of the event of a name, which is "name" or "namespace/name". It is called after
// Report, and reads the event and its checkpoint again from the sources.
func (v *Verifier) Prove(ctx context.Context, name string, sources ...reading.Source) (*Proof, error) {
	t, s, err := v.find(name)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(t.good, func(c *checkpoint) bool { return c.size() > s.index })
	if i < 0 {
		return nil, fmt.Errorf("the event %s is behind the last checkpoint of its trail: no signature protects it yet", s.name())
	}
	c := t.good[i]
	if leaf, proven := t.leaf(s.index); !proven || leaf != s.leaf {
		return nil, fmt.Errorf("the event %s is not proven: auditctl verify says more", s.name())
	}
	p := &Proof{Hashes: []tlog.Hash{}}
	hashes, err := tlog.ProveRecord(c.size(), s.index, tlog.HashReaderFunc(t.stored))
	if err != nil {
		return nil, fmt.Errorf("proving the event %s: %w", s.name(), err)
	}
	p.Hashes = append(p.Hashes, hashes...)
	if c.Certificate == "" {
		for _, other := range t.good {
			if other.Certificate != "" {
				p.Certificate = other.Certificate
			}
		}
	}
	if p.Event, err = v.again(ctx, s, sources); err == nil {
		p.Checkpoint, err = v.again(ctx, &c.sighting, sources)
	}
	return p, err
}

// find returns the event of a name. One that is intact is preferred.
func (v *Verifier) find(name string) (in *log, found *sighting, err error) {
	var names []string
	for _, t := range v.trails {
		for i := range t.sightings {
			s := &t.sightings[i]
			_, short, _ := strings.Cut(s.name(), "/")
			if name != s.name() && name != short {
				continue
			}
			if !slices.Contains(names, s.name()) {
				names = append(names, s.name())
			}
			if leaf, proven := t.leaf(s.index); found == nil || proven && leaf == s.leaf {
				in, found = t, s
			}
		}
	}
	switch len(names) {
	case 0:
		return nil, nil, fmt.Errorf("no event with a seal has the name %q", name)
	case 1:
		return in, found, nil
	}
	slices.Sort(names)
	return nil, nil, fmt.Errorf("several events have the name %q: give one of %s", name, strings.Join(names, ", "))
}

// again reads an event again.
func (v *Verifier) again(ctx context.Context, s *sighting, sources []reading.Source) (json.RawMessage, error) {
	namespace, name, _ := strings.Cut(s.name(), "/")
	q := &reading.Query{Strict: true, Names: []string{name}}
	if namespace != "" {
		q.Namespaces = []string{namespace}
	}
	for _, source := range sources {
		for r, err := range source.Read(ctx, q) {
			if err != nil {
				continue // it was told when all was read
			}
			seal, err := trail.ParseSeal(r.Event.Annotations[v1alpha1.AnnotationSeal])
			if err == nil && v.leaf(seal, r.Event) == s.leaf {
				return eventjson.Append(nil, r.Event), nil
			}
		}
	}
	return nil, fmt.Errorf("the event %s is not there any more", s.name())
}

// stored returns hashes of subtrees, as tlog numbers them.
func (t *log) stored(indexes []int64) (hashes []tlog.Hash, err error) {
	for _, i := range indexes {
		level, n := tlog.SplitStoredHashIndex(i)
		hash, ok := t.subtree(n<<level, 1<<level)
		if !ok {
			return nil, errors.New("not all checkpoints are there that it takes")
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

// subtree returns the hash of a complete subtree, if it is known.
func (t *log) subtree(from, size int64) (trail.Hash, bool) {
	if size == 1 {
		return t.leaf(from)
	}
	for _, c := range t.good {
		if c.Before.Size() < from+size {
			continue
		}
		start := int64(0)
		for i, hash := range c.Before.Hashes() {
			n := subtree(c.Before.Size(), i)
			if start == from && n == size {
				return hash, true
			}
			start += n
		}
	}
	left, ok := t.subtree(from, size/2)
	if !ok {
		return trail.Hash{}, false
	}
	right, ok := t.subtree(from+size/2, size/2)
	return tlog.NodeHash(left, right), ok
}

// ParseProof parses the JSON of a Proof.
func ParseProof(text []byte) (*Proof, error) {
	p := &Proof{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("the proof: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the proof: something follows it")
	}
	return p, nil
}

// Check holds the proof against the trust. The report is about the one event.
func (p *Proof) Check(trust *Trust) (*Report, error) {
	v := New(trust, Options{})
	event, err := parseInProof("event", p.Event)
	if err != nil {
		return nil, err
	}
	signed, err := parseInProof("checkpoint", p.Checkpoint)
	if err != nil {
		return nil, err
	}
	v.Add(event)
	if len(v.trails) == 0 {
		return nil, errors.New("the proof: the event has no seal")
	}
	v.Add(signed)
	for _, t := range v.trails {
		p.checkIn(v, t)
	}
	r := &Report{Findings: append([]Finding{}, v.findings...), Verdict: verdict(v.findings), Events: 1}
	for _, t := range v.trails {
		r.Trails = append(r.Trails, t.summary)
	}
	return r, nil
}

func parseInProof(what string, text json.RawMessage) (*reading.Record, error) {
	ae, err := reading.ParseEvent(text, true)
	if err != nil {
		return nil, fmt.Errorf("the proof: the %s: %w", what, err)
	}
	return reading.NewRecord(ae, "proof", ""), nil
}

// checkIn checks the event of a trail, of which only it and a checkpoint are there.
func (p *Proof) checkIn(v *Verifier, t *log) {
	s := t.sightings[0] // the event, which settle may sort behind the checkpoint
	for _, c := range t.checkpoints {
		if c.Certificate == "" {
			c.beside = p.Certificate
		}
	}
	v.settle(t)
	t.summary.Places, t.summary.FirstIndex, t.summary.LastIndex = []string{"proof"}, s.index, s.index
	t.summary.Size, t.summary.Checkpoints = t.size, len(t.good)
	if len(t.good) == 0 {
		v.found(v.of(t, &s, CodeNoCheckpoint, LevelTampered, "the proof has no good checkpoint of the event's trail"))
		return
	}
	head := t.good[0].head
	if err := tlog.CheckRecord(p.Hashes, head.Size, head.Root, s.index, s.leaf); err != nil {
		v.found(v.of(t, &s, CodeEdited, LevelTampered, "the hashes do not lead from the event to what is signed: the event is not what was sealed, or the proof is another's"))
		return
	}
	t.summary.Intact = 1
}
