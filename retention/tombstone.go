package retention

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/hooks"
	"github.com/paddock-dev/audit/internal/stopping"
	"github.com/paddock-dev/audit/internal/trail"
)

const (
	// maxDoomed bounds the sealed events that wait for a tombstone. Of each, a few hundred
	// bytes are held.
	maxDoomed = 1000
	// tombstoneTimeout bounds storing the tombstones of maxDoomed events and the checkpoint
	// that covers them.
	tombstoneTimeout = 30 * time.Second
	// settles is how much longer a sealed event stays: an auditor knows its age from the
	// checkpoint that covers it, which is younger.
	settles = time.Hour
	// longestTrail is more than the longest life of a trail, 720 hours (see seal.Options.MaxAge).
	// Checkpoints are kept so much longer than events, so that a trail whose last event is
	// there has its first checkpoint as well.
	longestTrail = 31 * day
	// defaultPlace is what auditctl calls the API server.
	defaultPlace = "cluster"
	// maxPlace bounds the name of a place, in bytes.
	maxPlace = 253
)

// Tombstones stores what a pass is about to delete. A *seal.Sink is one.
type Tombstones interface {
	auditing.Sink
	// Wait returns nil once a signed and stored checkpoint covers all that was written.
	Wait(ctx context.Context) error
}

// doomed is a sealed event that waits for its tombstone.
type doomed struct {
	event *v1alpha1.AuditEvent // without all that its delete does not need
	seal  trail.Seal
	keep  time.Duration
}

// sealOf returns the seal of an event that has one.
func sealOf(ae *v1alpha1.AuditEvent) (trail.Seal, bool) {
	text := ae.Annotations[v1alpha1.AnnotationSeal]
	if text == "" {
		return trail.Seal{}, false
	}
	seal, err := trail.ParseSeal(text)
	return seal, err == nil
}

// doom has an event, which is archived, wait for its tombstone.
func (p *pass) doom(ae *v1alpha1.AuditEvent, seal trail.Seal) {
	rest := &v1alpha1.AuditEvent{}
	rest.Namespace, rest.Name, rest.UID, rest.ResourceVersion = ae.Namespace, ae.Name, ae.UID, ae.ResourceVersion
	rest.CreationTimestamp, rest.Spec.Kind, rest.Spec.Timestamp = ae.CreationTimestamp, ae.Spec.Kind, ae.Spec.Timestamp
	rest.Finalizers = slices.Clone(ae.Finalizers[:min(1, len(ae.Finalizers))]) // whether there is one
	rest.Annotations = map[string]string{}
	for _, key := range []string{v1alpha1.AnnotationSeal, v1alpha1.AnnotationTimestamp} {
		if text, ok := ae.Annotations[key]; ok {
			rest.Annotations[key] = text
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doomed = append(p.doomed, doomed{rest, seal, p.keep(ae)})
}

// bury names the events that wait in tombstones, and then deletes them. When the tombstones
// are not stored, the events stay, and so do later ones of the pass. Its error ends the pass.
func (p *pass) bury(ctx context.Context) error {
	all := p.doomed
	p.doomed = nil
	if len(all) == 0 {
		return nil
	}
	if err := p.name(ctx, all); err != nil {
		stopped := ctx.Err() != nil
		if !stopped {
			p.metrics.failures.WithLabelValues(opTombstone).Inc()
			p.unnamed = err
		}
		for _, d := range all {
			p.left(d.event, p.unnamed)
		}
		if stopped {
			return fmt.Errorf("retention: the pass was ended: %w", err)
		}
		return nil
	}
	// A checkpoint goes after the events that it covers.
	first, last := []doomed{}, []doomed{}
	for _, d := range all {
		if trail.IsCheckpoint(d.event.Spec.Kind) {
			last = append(last, d)
		} else {
			first = append(first, d)
		}
	}
	if err := p.deleteAll(ctx, first); err != nil {
		p.leave(last)
		return err
	}
	return p.deleteAll(ctx, last)
}

// leave notes that events are still there.
func (p *pass) leave(all []doomed) {
	for _, d := range all {
		p.left(d.event, nil)
	}
}

func (p *pass) deleteAll(ctx context.Context, all []doomed) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(pageSize)
	for _, d := range all {
		group.Go(func() error {
			if err := p.await(ctx, d.event); err != nil {
				return err
			}
			return p.remove(ctx, d.event)
		})
	}
	return group.Wait()
}

// name stores tombstones of events and a checkpoint that covers them.
func (p *pass) name(ctx context.Context, all []doomed) (err error) {
	ctx, cancel := stopping.Context(ctx, tombstoneTimeout)
	defer cancel()
	tombstones := p.tombstonesOf(all)
	for i := range tombstones {
		if panicked := hooks.Call("the tombstones' sink", func() { err = p.tombstones.Write(ctx, p.event(&tombstones[i])) }); panicked != nil {
			err = panicked
		}
		if err != nil {
			return fmt.Errorf("storing a tombstone in %s, without which nothing sealed is deleted: %w", auditing.Chain(p.tombstones), err)
		}
	}
	if panicked := hooks.Call("the tombstones' sink", func() { err = p.tombstones.Wait(ctx) }); panicked != nil {
		err = panicked
	}
	if err != nil {
		return fmt.Errorf("waiting for the checkpoint of a tombstone in %s, without which nothing sealed is deleted: %w", auditing.Chain(p.tombstones), err)
	}
	p.sum.Tombstones += len(tombstones)
	p.metrics.tombstones.Add(float64(len(tombstones)))
	return nil
}

// tombstonesOf returns tombstones that name the events: those of each retention apart.
func (p *pass) tombstonesOf(all []doomed) (tombstones []trail.Tombstone) {
	slices.SortStableFunc(all, func(a, b doomed) int {
		return cmp.Or(cmp.Compare(a.keep, b.keep), strings.Compare(a.seal.Trail, b.seal.Trail))
	})
	for len(all) > 0 {
		kept := all[0].keep
		var reaped []trail.Reaped
		for ; len(all) > 0 && all[0].keep == kept; all = all[1:] {
			if last := len(reaped) - 1; last < 0 || reaped[last].Trail != all[0].seal.Trail {
				reaped = append(reaped, trail.Reaped{Trail: all[0].seal.Trail})
			}
			reaped[len(reaped)-1].Ranges.Add(all[0].seal.Index)
		}
		for _, part := range trail.Fit(reaped) {
			t := trail.Tombstone{
				Place: p.place, Keep: keep(kept).String(), Cutoff: p.at.Add(-kept), Checkpoints: kept == p.keeps.checkpoints, Reaped: part,
			}
			if p.archive != nil {
				t.Archive = auditing.Chain(p.archive)
			}
			tombstones = append(tombstones, t)
		}
	}
	return tombstones
}

// event returns the event of a tombstone.
func (p *pass) event(t *trail.Tombstone) *v1alpha1.AuditEvent {
	return auditing.NewEvent(auditing.EventInput{
		Kind: canonical.KindTrailReaped, Decision: v1alpha1.AuditDecisionGranted, Namespace: p.claim.key.Namespace,
		Reason: "the retention of these events is over, and they are about to be deleted", Detail: t.Detail(), When: p.at,
	})
}

// checkTombstones refuses options that tombstones cannot be stored with.
func (o *Options) checkTombstones() error {
	if o.Tombstones == nil {
		if o.Place != "" {
			return errors.New("retention: Options.Place is for tombstones, and there are none: set Options.Tombstones, or leave Place out")
		}
		return nil
	}
	if o.Namespace == "" {
		return errors.New("retention: tombstones are events and need a namespace: set Options.Namespace")
	}
	if o.Place = cmp.Or(o.Place, defaultPlace); len(o.Place) > maxPlace || strings.ContainsFunc(o.Place, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("retention: Options.Place is no name of a place: want at most %d printable characters of ASCII without spaces", maxPlace)
	}
	return nil
}
