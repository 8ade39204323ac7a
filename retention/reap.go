package retention

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/hooks"
	"github.com/paddock-dev/audit/internal/stopping"
)

// archiveTimeout bounds one write to the archive.
const archiveTimeout = 15 * time.Second

// reap archives and deletes one event; a sealed one waits for its tombstone between the two,
// where tombstones are stored. Its error ends the pass. A failure that concerns
// this event alone is counted, and is no error.
func (p *pass) reap(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	seal, sealed := sealOf(ae)
	named := sealed && p.tombstones != nil // in a tombstone, before it goes
	if named && p.unnamed != nil {
		p.left(ae, p.unnamed)
		return nil //nolint:nilerr // it is counted
	}
	if !named {
		if err := p.await(ctx, ae); err != nil {
			return err
		}
	}
	if p.archive != nil {
		if down, err := p.store(ctx, ae); err != nil {
			p.left(ae, err)
			return down
		}
	}
	if named {
		p.doom(ae, seal)
		return nil
	}
	if sealed {
		p.warnOfSealed(ctx, ae)
	}
	return p.remove(ctx, ae)
}

// await waits until the policy's DeletesPerSecond allow to delete an event. Its error ends the
// pass.
func (p *pass) await(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	if err := p.limit.Wait(ctx); err != nil {
		p.left(ae, nil)
		return fmt.Errorf("retention: the pass was ended: %w", err)
	}
	return nil
}

// warnOfSealed says once in a pass that verification will miss what is deleted.
func (p *pass) warnOfSealed(ctx context.Context, ae *v1alpha1.AuditEvent) {
	p.warning.Do(func() {
		p.logger.WarnContext(ctx, "sealed events are deleted without a tombstone, and verification will call that a deletion by somebody: "+
			"set Options.Tombstones, or the flag -tombstones of audit-reaper", "first", ae.Namespace+"/"+ae.Name)
	})
}

// remove deletes one event. Its error ends the pass.
func (p *pass) remove(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	err := p.delete(ctx, ae)
	switch {
	case err == nil && len(ae.Finalizers) > 0: // as they were at the delete, which asks for the version that was listed
		p.count(&p.sum.Terminating)
		p.left(ae, nil)
	case err == nil:
		p.metrics.deleted.Inc()
		p.count(&p.sum.Deleted)
	case isGone(err):
		p.count(&p.sum.Gone)
	case apierrors.IsConflict(err):
		p.count(&p.sum.Changed)
		p.left(ae, nil)
	case errors.Is(err, errNoAnswer):
		p.count(&p.sum.Unknown)
		p.left(ae, nil)
		p.logger.WarnContext(ctx, "a delete was cut off before the API server answered", "event", ae.Namespace+"/"+ae.Name)
		return fmt.Errorf("retention: the pass was ended: %w", err)
	default:
		p.left(ae, fmt.Errorf("deleting: %w", err))
		var silent *noAnswerError
		if errors.As(err, &silent) {
			return fmt.Errorf("retention: deleting: %w", err)
		}
	}
	return nil
}

// store writes ae to the archive and returns when that has confirmed it. down is
// not nil when the archive fails event after event.
func (p *pass) store(ctx context.Context, ae *v1alpha1.AuditEvent) (down, err error) {
	writing, cancel := stopping.Context(ctx, archiveTimeout)
	defer cancel()
	copied := ae.DeepCopy() // the sink may fill in metadata, and the delete needs what the server said
	copied.ManagedFields = nil
	if panicked := hooks.Call("the archive", func() { err = p.archive.Write(writing, copied) }); panicked != nil {
		err = panicked
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.metrics.archived.Inc()
		p.sum.Archived++
		p.archiveFailed = 0
		return nil, nil
	}
	p.metrics.failures.WithLabelValues(opArchive).Inc()
	if class, _ := driver.ClassOf(err); class != auditing.ClassPermanent && class != auditing.ClassInvalid {
		p.archiveFailed++
	}
	if p.archiveFailed == archiveGivesUp { // of the failures at the same time, this one alone ends the pass
		down = fmt.Errorf("retention: the archive %s failed %d times in a row, the last: %w", auditing.Chain(p.archive), p.archiveFailed, err)
	}
	return down, fmt.Errorf("archiving: %w", err)
}

// delete deletes the very object that was listed and archived. It deletes no other object
// that has taken the name, and not this one when it was changed since.
func (p *pass) delete(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	same := client.Preconditions{UID: &ae.UID, ResourceVersion: &ae.ResourceVersion}
	return p.try(ctx, opDelete, func(ctx context.Context) error { return p.client.Delete(ctx, ae, same) })
}
