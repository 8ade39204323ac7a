package sinktest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

var errWroteNil = errors.New("Write returned nil")

// The pauses between two checks of a condition. They grow from the first to the last.
const (
	firstPoll = 2 * time.Millisecond
	lastPoll  = 250 * time.Millisecond
)

// probe is one check of a clause.
type probe struct {
	h     Harness
	ctx   context.Context //nolint:containedctx // a probe lives for one Check
	notes []string
	ends  []func()
}

func (p *probe) atEnd(f func()) { p.ends = append(p.ends, f) }

func (p *probe) end() {
	for len(p.ends) > 0 {
		last := p.ends[len(p.ends)-1]
		p.ends = p.ends[:len(p.ends)-1]
		last()
	}
}

func (p *probe) notef(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// close closes a sink in a clause that does not test Close.
func (p *probe) close(s auditing.Sink) {
	_, _ = p.bounded("Close", p.h.Patience, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), p.h.Patience)
		defer cancel()
		return auditing.Close(ctx, s)
	})
}

// event returns a valid event with a unique name. A clause adds the fields that it needs.
func (p *probe) event() *v1alpha1.AuditEvent {
	ae := p.unnamed()
	ae.Name = ae.GenerateName + strings.ToLower(rand.Text())
	return ae
}

// unnamed returns a valid event without a name, which the sink has to choose.
func (p *probe) unnamed() *v1alpha1.AuditEvent {
	// The time has nanoseconds, and is in the past, so that every destination takes it.
	at := time.Now().UTC().Truncate(time.Second).Add(-time.Second + 123_456_789)
	return &v1alpha1.AuditEvent{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.h.Namespace, GenerateName: "conformance-"},
		Spec: v1alpha1.AuditEventSpec{
			RunRef:    &v1alpha1.LocalReference{Name: "run-7"},
			Decision:  v1alpha1.AuditDecisionDenied,
			Kind:      v1alpha1.AuditKindEgressBlock,
			Timestamp: metav1.NewTime(at),
			Reason:    "not on the list",
		},
	}
}

// bounded calls f on a goroutine of its own. result is what f returned. broken is not
// nil when f has panicked, or has not returned within limit.
func (p *probe) bounded(what string, limit time.Duration, f func() error) (result, broken error) {
	type outcome struct{ result, broken error }
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if r := recover(); r != nil {
				o.broken = fmt.Errorf("%s panicked: %v\n%s", what, r, debug.Stack())
			}
			done <- o
		}()
		o.result = f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case o := <-done:
		return o.result, o.broken
	case <-timer.C:
		return nil, fmt.Errorf("%s had not returned after %v", what, limit)
	}
}

// write calls Write. broken is not nil when Write panics, or has not returned after
// Patience.
func (p *probe) write(ctx context.Context, s auditing.Sink, ae *v1alpha1.AuditEvent) (result, broken error) {
	return p.bounded("Write", p.h.Patience, func() error { return s.Write(ctx, ae) })
}

// mustWrite writes a valid event, and returns an error when the sink refuses it.
func (p *probe) mustWrite(s auditing.Sink, ae *v1alpha1.AuditEvent) error {
	err, broken := p.write(p.ctx, s, ae)
	if broken != nil {
		return broken
	}
	if err != nil {
		return fmt.Errorf("Write of a valid event failed: %w", err)
	}
	return nil
}

// refused makes a Write that has to fail, because of the event or of the destination.
func (p *probe) refused(ctx context.Context, s auditing.Sink, ae *v1alpha1.AuditEvent) (result, broken error) {
	err, broken := p.write(ctx, s, ae)
	if broken == nil && err == nil {
		broken = errWroteNil
	}
	return err, broken
}

// writeAndRead writes ae and reads back what is stored of it.
func (p *probe) writeAndRead(ae *v1alpha1.AuditEvent) (*v1alpha1.AuditEvent, error) {
	subject, err := p.open()
	if err != nil {
		return nil, err
	}
	if err := p.mustWrite(subject.Sink, ae); err != nil {
		return nil, err
	}
	return p.readOne(subject, ae.Name)
}

// readOne returns the event that is stored under name.
func (p *probe) readOne(subject Subject, name string) (*v1alpha1.AuditEvent, error) {
	found, err := p.read(subject, []string{name})
	if err != nil {
		return nil, err
	}
	return &found[0], nil
}

// read waits until events with all these names are stored, and returns them in the order
// of the names. A name that is stored twice is an error.
func (p *probe) read(subject Subject, names []string) ([]v1alpha1.AuditEvent, error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.h.Patience)
	defer cancel()
	for wait := firstPoll; ; wait = min(2*wait, lastPoll) {
		all, err := subject.Stored(ctx)
		if err != nil {
			return nil, fmt.Errorf("subject: Stored: %w", err)
		}
		found, missing, err := pick(all, names)
		if err != nil || len(missing) == 0 {
			return found, err
		}
		if !pause(ctx, wait) {
			return nil, fmt.Errorf("after %v the destination holds %d events, and not %d of the %d written, %q among them",
				p.h.Patience, len(all), len(missing), len(names), missing[0])
		}
	}
}

// pause waits. It returns false when ctx has ended first.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// pick returns the events with these names, and the names that are missing. A name that
// is there twice is an error.
func pick(all []v1alpha1.AuditEvent, names []string) (found []v1alpha1.AuditEvent, missing []string, err error) {
	at := make(map[string][]int, len(all))
	for i := range all {
		at[all[i].Name] = append(at[all[i].Name], i)
	}
	for _, name := range names {
		switch where := at[name]; len(where) {
		case 0:
			missing = append(missing, name)
		case 1:
			found = append(found, all[where[0]])
		default:
			return nil, nil, fmt.Errorf("event %q is stored %d times", name, len(where))
		}
	}
	return found, missing, nil
}
