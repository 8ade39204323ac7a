package proxy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// kindAuditWriteFailed is a kind of this component's own.
const kindAuditWriteFailed v1alpha1.AuditKind = "audit-write-failed"

// failures puts the gaps of a trail into the trail: writes that fail are
// counted, and the first one that succeeds again is followed by one event that
// says how many failed, when and how. So whoever reads the trail alone, without
// metrics and logs, sees that something is missing, and where.
type failures struct {
	next           auditing.Sink
	namespace, run string

	mu  sync.Mutex
	gap gap
	// owed are events about earlier gaps whose own write failed. They are written
	// again as they are, for they may have been stored all the same.
	owed []*v1alpha1.AuditEvent
}

// gap is what failed since the last event about it. The zero value is no failure.
type gap struct {
	count       int32
	first, last time.Time
	how         auditing.WriteError // of the last one
}

// Write writes to the next sink. Its error is that of ae alone: a gap that
// cannot be recorded stays counted, and is recorded after a later write.
func (f *failures) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	if err := f.next.Write(ctx, ae); err != nil {
		now := time.Now()
		g := gap{count: 1, first: now, last: now}
		var failed *auditing.WriteError
		if errors.As(err, &failed) {
			g.how = auditing.WriteError{Sink: failed.Sink, Class: failed.Class}
		}
		f.add(g)
		return err
	}
	for _, about := range f.take() {
		if err := f.next.Write(ctx, about); err != nil {
			f.mu.Lock()
			f.owed = append(f.owed, about)
			f.mu.Unlock()
		}
	}
	return nil
}

// take returns the events about gaps that are to be written, and leaves none behind: of
// several writers at once only one records each gap.
func (f *failures) take() []*v1alpha1.AuditEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	about := f.owed
	f.owed = nil
	if f.gap.count > 0 {
		about = append(about, f.gap.event(f.namespace, f.run))
		f.gap = gap{}
	}
	return about
}

func (f *failures) add(g gap) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gap.count == 0 {
		f.gap = g
		return
	}
	f.gap.count += min(g.count, math.MaxInt32-f.gap.count)
	if g.first.Before(f.gap.first) {
		f.gap.first = g.first
	}
	if g.last.After(f.gap.last) {
		f.gap.last, f.gap.how = g.last, g.how
	}
}

func (g gap) event(namespace, run string) *v1alpha1.AuditEvent {
	return auditing.NewEvent(auditing.EventInput{
		Kind: kindAuditWriteFailed, Decision: v1alpha1.AuditDecisionWarned,
		Namespace: namespace, RunName: run,
		Reason:      fmt.Sprintf("decisions that could not be recorded: %d, the last one: %s", g.count, g.how.Class),
		Count:       g.count,
		WindowStart: g.first, WindowEnd: g.last,
		Detail: map[string]string{"sink": g.how.Sink, "class": string(g.how.Class)},
	})
}
