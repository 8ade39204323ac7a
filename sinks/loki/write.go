package loki

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// store is the transport of auditing.Deliver.
func (s *Sink) store(caller context.Context, ae *v1alpha1.AuditEvent) error {
	ctx, stop := context.WithCancelCause(caller)
	defer stop(nil)
	w := &writing{event: nameOf(ae), stop: stop}
	if err := s.begin(w); err != nil {
		return err
	}
	defer s.end(w)
	ctx, cancel := context.WithTimeoutCause(ctx, s.opts.RetryFor, errGaveUp)
	defer cancel()

	at := s.places.of(ae)
	for {
		q := s.stream(ae, at.late)
		if at.late == "" && q.isBehind(at.ns) {
			at = s.places.put(ae, at.next(ae, refusedBehind))
			continue
		}
		v, err := s.send(ctx, q, ae, at)
		if err != nil {
			return err
		}
		if v.refused == refusedForGood || at.late == lateSent {
			return v.err
		}
		if v.refused == refusedNot {
			return nil
		}
		at = s.places.put(ae, at.next(ae, v.refused))
	}
}

// send puts ae into the queue of q and waits for what becomes of it. Its error
// is that of a writer who gave up; what Loki says is in the verdict.
func (s *Sink) send(ctx context.Context, q *stream, ae *v1alpha1.AuditEvent, at placement) (verdict, error) {
	e := &entry{ns: at.ns, done: make(chan verdict, 1)}
	release, err := s.encode(ctx, e, ae, at)
	if err != nil {
		return verdict{}, err
	}
	defer release()
	if q.add(e) {
		q.lead(ctx)
	}
	select {
	case v := <-e.done:
		return v, nil
	case <-ctx.Done():
		return q.leave(e, context.Cause(ctx))
	}
}

// entryOverhead is what an entry takes in memory beside its bytes, roughly.
const entryOverhead = 512

// encode fills in the bytes of e within MaxPendingBytes; release gives them back.
// A writer that has to wait for room keeps no bytes while it waits.
func (s *Sink) encode(ctx context.Context, e *entry, ae *v1alpha1.AuditEvent, at placement) (release func(), err error) {
	fill := func(line []byte) {
		metadata := at.metadata(ae)
		size := len(line) + 64
		for _, p := range metadata {
			size += len(p.name) + len(p.value) + 16
		}
		e.wire = appendEntry(make([]byte, 0, size), at.ns, line, metadata)
	}
	if err := s.lines.encode(ae, fill); err != nil {
		return nil, auditing.Permanent(err)
	}
	size := int64(cap(e.wire)) + entryOverhead
	if !s.room.TryAcquire(size) {
		e.wire = nil
		if err := s.room.Acquire(ctx, size); err != nil {
			err = fmt.Errorf("not sent: %d bytes of events wait already (MaxPendingBytes): %w", s.opts.MaxPendingBytes, ended(context.Cause(ctx)))
			if errors.Is(err, errClosing) {
				return nil, auditing.WithClass(auditing.ClassClosed, err)
			}
			return nil, auditing.WithClass(auditing.ClassFull, err)
		}
		if err := s.lines.encode(ae, fill); err != nil {
			s.room.Release(size)
			return nil, auditing.Permanent(err)
		}
	}
	return func() { s.room.Release(size) }, nil
}

// ended names the end of a context: the bound of this sink counts as a deadline.
func ended(cause error) error {
	if errors.Is(cause, errGaveUp) {
		return fmt.Errorf("%w: %w", cause, context.DeadlineExceeded)
	}
	return cause
}

// gaveUp is the error of a writer whose context ended. state says what is known
// of its event, last what Loki answered to an earlier attempt.
func gaveUp(state attempt, cause, last error) error {
	var what string
	switch state {
	case attemptNone:
		what = "not sent"
	case attemptUnderWay:
		what = "the push was under way, so the outcome is unknown, and writing the event again is harmless"
	case attemptUnclear:
		what = "an earlier push may have stored it, so the outcome is unknown, and writing the event again is harmless"
	}
	var err error
	switch {
	case last == nil:
		err = fmt.Errorf("%s: %w", what, ended(cause))
	case errors.Is(cause, errGaveUp) && state != attemptUnderWay:
		// What Loki said classifies the failure, not the bound of this sink.
		err = fmt.Errorf("%s: %w: the last push: %w", what, cause, last)
	default:
		err = fmt.Errorf("%s: %w: the last push: %w", what, ended(cause), last)
	}
	if errors.Is(cause, errClosing) {
		return auditing.WithClass(auditing.ClassClosed, err)
	}
	return err
}

// metadata of an entry: plain snake_case names, which Loki leaves as they are.
// It answers 500 to a whole request with a name that it cannot normalise.
func (p placement) metadata(ae *v1alpha1.AuditEvent) []pair {
	metadata := []pair{
		{"kind", clean(string(ae.Spec.Kind))},
		{"decision", clean(string(ae.Spec.Decision))},
		{"event", clean(ae.Name)},
		{},
		{},
	}[:3]
	if ae.Spec.RunRef != nil {
		metadata = append(metadata, pair{"run", clean(ae.Spec.RunRef.Name)})
	}
	if p.late != "" {
		metadata = append(metadata, pair{"event_time", auditing.EventTime(ae).UTC().Format(time.RFC3339Nano)})
	}
	return metadata
}

func nameOf(ae *v1alpha1.AuditEvent) string {
	if ae.Namespace == "" {
		return ae.Name
	}
	return ae.Namespace + "/" + ae.Name
}
