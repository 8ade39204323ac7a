package retention

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

const (
	// pageSize bounds what is held at once, and how many events are archived and
	// deleted at the same time. An event of the largest size that the schema allows
	// has 280 KB on the wire, and reading a page takes the heap several times that.
	pageSize = 25
	// archiveGivesUp is how many writes in a row an archive may fail, none of them
	// for a reason of the event's own, before the pass ends: it is down.
	archiveGivesUp = 100
)

// Summary is what a pass did.
type Summary struct {
	// Seen is how many events there were. Those of a page that is read again
	// after a failure count once.
	Seen int
	// Expired is how many of them are past their retention.
	Expired int
	// Deleted is how many this pass deleted. An event that a finalizer holds counts as
	// Terminating.
	Deleted int
	// Archived is how many the archive confirmed.
	Archived int
	// Gone is how many somebody else deleted first; or this pass itself, when the
	// answer to its first attempt was lost.
	Gone int
	// Unknown is how many deletes had no answer when the pass was stopped: each may
	// have been carried out or not. The next pass finds the events that are still there.
	Unknown int
	// Changed is how many were changed since they were listed and therefore left.
	Changed int
	// Held is how many others are past their retention by their own time, and stay because
	// they were stored less than MinKeep ago.
	Held int
	// Terminating is how many wait for somebody to remove a finalizer.
	Terminating int
	// Tombstones is how many were stored.
	Tombstones int
	// Failed is how many could not be archived, named in a tombstone or deleted.
	Failed int
	// Overdue is how long past its retention the oldest event is that is still
	// there; 0 when none is.
	Overdue time.Duration
}

// pass is one walk over all events.
type pass struct {
	*Reaper

	at time.Time // that events are held against; zero before the first page

	mu            sync.Mutex
	sum           Summary
	first         error // the first failure of an event
	archiveFailed int   // in a row
	doomed        []doomed
	unnamed       error // why no tombstone can be stored
	warning       sync.Once
}

// Pass looks at every event once and deletes those that are expired. It returns
// an error when the pass had to end early (ctx ended, the API server did not
// answer for two minutes, the archive is down), when an expired event had to stay, or
// when a reaper with another policy works on the same events; the summary is valid in any case.
func (r *Reaper) Pass(ctx context.Context) (sum Summary, err error) {
	err = r.claimed(ctx, func(ctx context.Context) error {
		sum, err = r.pass(ctx)
		return err
	})
	return sum, err
}

func (r *Reaper) pass(ctx context.Context) (Summary, error) {
	begin := time.Now()
	p := &pass{Reaper: r}
	err := r.sinksKeep()
	if err == nil {
		err = p.walk(ctx, p.reapPage)
		if err == nil {
			err = p.bury(ctx)
		} else {
			p.leave(p.doomed)
		}
	}
	if err == nil && p.sum.Failed > 0 {
		err = fmt.Errorf("retention: %d expired events had to stay, the first: %w", p.sum.Failed, p.first)
	}
	took := time.Since(begin)
	p.report(ctx, took, err)
	return p.sum, err
}

// Preview calls each for every event that a Pass would delete now, one at a
// time, in the order of namespaces and names, and changes nothing. each must not
// keep the event.
func (r *Reaper) Preview(ctx context.Context, each func(ae *v1alpha1.AuditEvent)) (Summary, error) {
	p := &pass{Reaper: r}
	err := p.walk(ctx, func(_ context.Context, expired []*v1alpha1.AuditEvent) error {
		for _, ae := range expired {
			p.left(ae, nil)
			each(ae)
		}
		return nil
	})
	return p.sum, err
}

func (p *pass) report(ctx context.Context, took time.Duration, err error) {
	m := p.metrics
	m.duration.Observe(took.Seconds())
	log := p.logger.With("seen", p.sum.Seen, "expired", p.sum.Expired, "deleted", p.sum.Deleted, "archived", p.sum.Archived,
		"gone", p.sum.Gone, "unknown", p.sum.Unknown, "changed", p.sum.Changed, "held", p.sum.Held, "terminating", p.sum.Terminating,
		"tombstones", p.sum.Tombstones, "failed", p.sum.Failed,
		"overdue", p.sum.Overdue.String(), "took", took.String())
	switch {
	case err != nil && ctx.Err() != nil: // it was stopped, which is neither ok nor failed
		log.InfoContext(ctx, "the pass was stopped")
		return
	case err != nil:
		m.passes.WithLabelValues("failed").Inc()
		if p.sum.Overdue > 0 { // events that the pass did not reach may be there still
			m.oldestOverdue.Set(p.sum.Overdue.Seconds())
		}
		log.ErrorContext(ctx, "the pass failed", "error", err.Error())
		return
	}
	m.passes.WithLabelValues("ok").Inc()
	m.lastSuccess.Set(float64(time.Now().UnixNano()) / 1e9)
	m.oldestOverdue.Set(p.sum.Overdue.Seconds())
	log.InfoContext(ctx, "the pass is done")
}

// walk hands the expired events of each page to do, and holds one page only.
func (p *pass) walk(ctx context.Context, do func(context.Context, []*v1alpha1.AuditEvent) error) error {
	for next := ""; ; {
		var page v1alpha1.AuditEventList
		err := p.list(ctx, &page, next)
		if apierrors.IsResourceExpired(err) {
			// The pass took longer than the server keeps its past. Its answer has a
			// token to go on with at the same place, in the present.
			var status apierrors.APIStatus
			if errors.As(err, &status) && next != "" && status.Status().Continue != "" {
				next = status.Status().Continue
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("retention: listing auditevents: %w", err)
		}
		if p.at.IsZero() {
			if p.at, err = p.now(); err != nil {
				return err
			}
		}
		if err := do(ctx, p.expired(&page)); err != nil {
			return err
		}
		if next = page.Continue; next == "" {
			return nil
		}
	}
}

func (p *pass) list(ctx context.Context, page *v1alpha1.AuditEventList, next string) error {
	return p.try(ctx, opList, func(ctx context.Context) error {
		*page = v1alpha1.AuditEventList{}
		return p.client.List(ctx, page, client.Limit(pageSize), client.Continue(next))
	})
}

// expired returns the events of a page that are past their retention.
func (p *pass) expired(page *v1alpha1.AuditEventList) (events []*v1alpha1.AuditEvent) {
	p.sum.Seen += len(page.Items)
	for i := range page.Items {
		ae := &page.Items[i]
		own, due := p.due(ae)
		if due.After(p.at) {
			if !own.After(p.at) {
				p.sum.Held++
			}
			continue
		}
		p.sum.Expired++
		if ae.DeletionTimestamp != nil {
			p.sum.Terminating++
			p.left(ae, nil)
			continue
		}
		events = append(events, ae)
	}
	return events
}

// left notes that an expired event is still there, because of err if any.
func (p *pass) left(ae *v1alpha1.AuditEvent, err error) {
	_, due := p.due(ae)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum.Overdue = max(p.sum.Overdue, p.at.Sub(due))
	if err == nil {
		return
	}
	p.sum.Failed++
	if p.first == nil {
		p.first = fmt.Errorf("event %s/%s: %w", ae.Namespace, ae.Name, err)
	}
}

func (p *pass) count(n *int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*n++
}

func (p *pass) reapPage(ctx context.Context, expired []*v1alpha1.AuditEvent) error {
	group, page := errgroup.WithContext(ctx)
	for _, ae := range expired {
		group.Go(func() error { return p.reap(page, ae) })
	}
	if err := group.Wait(); err != nil || len(p.doomed) < maxDoomed {
		return err
	}
	return p.bury(ctx)
}
