package seal

import (
	"context"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
)

const (
	// maxRanges bounds the ranges in one entry of a checkpoint: 16 bytes hold the widest one.
	maxRanges = trail.MaxText / 16
)

// draft is a checkpoint on its way: what it says, and what it took from its life to say it.
type draft struct {
	trail.Checkpoint

	index    int64
	span     span
	lost     map[loss]trail.Ranges
	recorded map[string]recorded // by the keys of other trails
	after    trail.Frontier      // of the leaves up to its own
	head     trail.SignedHead    // of those
}

// checkpoint makes one checkpoint and stores it.
func (l *life) checkpoint(ctx context.Context, kind v1alpha1.AuditKind) error {
	if l.certifier != nil {
		l.certifier.await(ctx, kind)
	}
	ctx, cancel := context.WithTimeout(ctx, l.stage.opts.Timeout)
	defer cancel()
	d := l.draft()
	l.tellHeads(d, time.Now())
	e, err := l.sign(d, kind)
	if err == nil {
		err = first(l.stage.checkpoints.Store(ctx, e.Alone()))
	}
	if err != nil {
		l.back(d, err)
		l.stage.failed(e, err)
		return err
	}
	l.cover(d)
	return nil
}

func first(errs []error) error {
	if errs == nil {
		return nil
	}
	return errs[0]
}

// draft begins a checkpoint: it gets the next index, and all that there is to say.
func (l *life) draft() *draft {
	s := l.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.own < 0 { // the first one has its index
		l.own = l.append(trail.Hash{})
	}
	d := &draft{index: l.own, span: l.span, lost: map[loss]trail.Ranges{}}
	d.Key, d.Certificate = l.key, l.certifier.current()
	d.Before = l.before.Clone()
	d.Leaves = slices.Clone(l.leaves[:l.own-l.before.Size()])
	d.First, d.Last = l.span.first, l.span.last
	l.tell(d)
	l.told = d.Settled.To
	d.Stored = l.later[:min(len(l.later), maxRanges)]
	l.later = slices.Clone(l.later[len(d.Stored):])
	l.declare(d)
	l.span, l.waits, l.asked, l.seen = span{}, len(l.later) > 0 || len(l.lost) > 0, false, l.own
	return d
}

// tell has the draft tell the outcomes that are known. It calls those unclear that are not,
// and were under way at the last checkpoint as well: one write that hangs must not hold up
// the others.
func (l *life) tell(d *draft) {
	d.Settled = trail.Range{From: l.told, To: l.told}
	for i := l.told; i < d.index && len(d.Failed) < maxRanges && len(d.Unclear) < maxRanges; i++ {
		switch to := l.marks.outcome(i); {
		case to == failed:
			d.Failed.Add(i)
		case to == unclear, to == underWay && i < l.seen:
			d.Unclear.Add(i)
		case to == underWay:
			return
		}
		d.Settled.To = i + 1
	}
}

// declare has the draft say which places lack events, as far as there is room.
func (l *life) declare(d *draft) {
	room := trail.MaxText
	for key, ranges := range l.lost {
		lack := trail.Lack{Trail: key.trail, Ranges: ranges[:min(len(ranges), maxRanges/2)], Place: key.place}
		if room -= len(lack.String()) + 1; room < 0 {
			return
		}
		d.Lacks = append(d.Lacks, lack)
		d.lost[key] = lack.Ranges
		if rest := ranges[len(lack.Ranges):]; len(rest) > 0 {
			l.lost[key] = slices.Clone(rest)
		} else {
			delete(l.lost, key)
		}
	}
}

// sign returns the event of the draft. Its leaf gets its place in the tree, whose head is
// then signed.
func (l *life) sign(d *draft, kind v1alpha1.AuditKind) (*driver.Event, error) {
	seal := trail.Seal{Trail: l.id, Index: d.index, Salt: trail.NewSalt()}
	ae := &v1alpha1.AuditEvent{}
	ae.Namespace = l.stage.opts.Namespace
	ae.Annotations = map[string]string{v1alpha1.AnnotationSeal: seal.String()}
	ae.Spec = v1alpha1.AuditEventSpec{
		Kind: kind, Decision: v1alpha1.AuditDecisionGranted, Timestamp: metav1.NewTime(l.stage.opts.clock()), Detail: d.Detail(), Reason: reasons[kind],
	}
	e, err := driver.Prepare(ae, l.stage.info.Component)
	leaf := trail.HashLeaf(nil) // of a checkpoint that does not come to be
	if err == nil {
		leaf = leafOf(e, seal.Salt)
	}
	l.place(d, leaf)
	if err != nil {
		return nil, err
	}
	d.after = d.Before.Clone()
	for _, leaf := range d.Leaves {
		d.after.Add(leaf)
	}
	d.after.Add(leaf)
	if d.head, err = (trail.Head{Origin: l.origin, Size: d.after.Size(), Root: d.after.Root()}).Sign(l.signer); err != nil {
		return nil, err
	}
	ae.Spec.Detail[canonical.DetailNote] = d.head.Note()
	return driver.Prepare(ae, l.stage.info.Component)
}

var reasons = map[v1alpha1.AuditKind]string{
	canonical.KindTrailOpened:     "a sealed trail begins",
	canonical.KindTrailCheckpoint: "the trail is signed up to here",
	canonical.KindTrailClosed:     "the sealed trail ends",
}

// place puts the leaf of a checkpoint at its index.
func (l *life) place(d *draft, leaf trail.Hash) {
	l.stage.mu.Lock()
	defer l.stage.mu.Unlock()
	l.leaves[d.index-l.before.Size()] = leaf
	l.marks.put(d.index, leaf)
	l.own = -1
}

// back takes what a checkpoint said back, for the next one to say: it was not stored, or
// nobody knows.
func (l *life) back(d *draft, err error) {
	s := l.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	l.err = err
	l.marks.set(d.index, outcomeOf(err))
	l.told = d.Settled.From
	if !d.span.first.IsZero() {
		l.span.add(d.span.first)
		l.span.add(d.span.last)
	}
	l.later.AddAll(d.Stored)
	for key, ranges := range d.lost {
		all := l.lost[key]
		all.AddAll(ranges)
		l.lost[key] = all
	}
}

// cover notes that a checkpoint is stored.
func (l *life) cover(d *draft) {
	s := l.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	l.err = nil
	l.marks.set(d.index, stored)
	l.head = d.head
	maps.Copy(l.recorded, d.recorded)
	if n := d.after.Size() - l.before.Size(); n > 0 {
		l.before, l.leaves = d.after, slices.Clone(l.leaves[n:])
	}
	s.metrics.checkpoints.Inc()
	s.metrics.uncovered.Sub(float64(d.index + 1 - l.covered))
	l.covered = d.index + 1
	if l == s.ready {
		s.now.nudge() // which may be old
	}
	close(l.moved)
	l.moved = make(chan struct{})
}
