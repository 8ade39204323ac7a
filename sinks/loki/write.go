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
func (s *Sink) store(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	w, err := s.begin(ae)
	if err != nil {
		return err
	}
	defer s.end(w)
	if err := s.opts.keeps(ae, time.Now()); err != nil {
		return auditing.Permanent(err)
	}
	at := s.places.of(ae)
	for {
		q := s.stream(ae, at.late)
		if at.late == "" && q.isBehind(at.ns) {
			at = s.places.put(ae, at.next(ae, refusedBehind))
			continue
		}
		v, err := s.send(ctx, w, q, ae, at)
		if err != nil {
			return err
		}
		switch {
		case v.refused == refusedNot:
			return s.onDisk(ctx, w)
		case v.refused == refusedForGood || at.late == lateSent:
			return v.err
		}
		at = s.places.put(ae, at.next(ae, v.refused))
	}
}

// send puts ae into the queue of q and waits for what becomes of it. Its error
// is that of a writer who gave up; what Loki says is in the verdict.
func (s *Sink) send(ctx context.Context, w *writing, q *stream, ae *v1alpha1.AuditEvent, at placement) (verdict, error) {
	size, err := s.encode(ctx, w, ae, at)
	if err != nil {
		return verdict{}, err
	}
	defer s.room.Release(size)
	if w.cause != nil {
		return verdict{}, gaveUp(attemptNone, w.cause, nil)
	}
	w.lent = true
	if b := q.add(&w.entry); b != nil {
		q.lead(ctx, w.until, b)
	}
	v, ok := w.await(ctx.Done())
	if !ok {
		cause := w.cause
		if cause == nil {
			cause = context.Cause(ctx)
		}
		if err := q.leave(&w.entry, cause); err != nil {
			return verdict{}, err
		}
		for !ok { // the verdict is under way
			v, ok = w.await(nil)
		}
	}
	w.lent = false
	return v, nil
}

// await waits for a verdict. It returns false when the write is to end first.
func (w *writing) await(done <-chan struct{}) (verdict, bool) {
	var v verdict
	if done == nil {
		v = <-w.entry.done
	} else {
		select {
		case v = <-w.entry.done:
		case <-done:
			return verdict{}, false
		}
	}
	if v.ends {
		w.cause = v.err
	}
	return v, !v.ends
}

// entryOverhead is what an entry takes in memory beside its bytes, roughly.
const entryOverhead = 512

// encode fills in the bytes of w's entry within MaxPendingBytes, of which it
// returns how many it took. A writer that has to wait for room keeps no bytes
// while it waits.
func (s *Sink) encode(ctx context.Context, w *writing, ae *v1alpha1.AuditEvent, at placement) (size int64, err error) {
	if err := w.fill(s.lines, ae, at); err != nil {
		return 0, auditing.Permanent(err)
	}
	size = int64(cap(w.buffer)) + entryOverhead
	if s.room.TryAcquire(size) {
		return size, nil
	}
	w.buffer, w.entry.wire = nil, nil
	ctx, cancel := s.context(ctx, w)
	defer cancel()
	if err := s.room.Acquire(ctx, size); err != nil {
		err = fmt.Errorf("not sent: %d bytes of events wait already (MaxPendingBytes): %w", s.opts.MaxPendingBytes, ended(context.Cause(ctx)))
		if errors.Is(err, errClosing) {
			return 0, auditing.WithClass(auditing.ClassClosed, err)
		}
		return 0, auditing.WithClass(auditing.ClassFull, err)
	}
	if err := w.fill(s.lines, ae, at); err != nil {
		s.room.Release(size)
		return 0, auditing.Permanent(err)
	}
	return size, nil
}

// fill encodes ae into the entry, which is as good as new then.
func (w *writing) fill(l lines, ae *v1alpha1.AuditEvent, at placement) error {
	return l.encode(ae, func(line []byte) {
		var pairs [maxMetadata]pair
		metadata := at.metadata(pairs[:0], ae)
		size := len(line) + 64
		for _, p := range metadata {
			size += len(p.name) + len(p.value) + 16
		}
		if cap(w.buffer) < size {
			w.buffer = make([]byte, 0, size)
		}
		w.entry.begin(at.ns, appendEntry(w.buffer[:0], at.ns, line, metadata))
	})
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

// The names of metadata: plain snake_case, which Loki leaves as they are. It
// answers 500 to a whole request with a name that it cannot normalise.
const (
	metadataKind      = "kind"
	metadataDecision  = "decision"
	metadataEvent     = "event"
	metadataRun       = "run"
	metadataEventTime = "event_time"

	maxMetadata = 5 // pairs of an entry
)

func isMetadata(name string) bool {
	switch name {
	case metadataKind, metadataDecision, metadataEvent, metadataRun, metadataEventTime:
		return true
	}
	return false
}

// metadata appends that of an entry.
func (p placement) metadata(pairs []pair, ae *v1alpha1.AuditEvent) []pair {
	pairs = append(pairs,
		pair{metadataKind, clean(string(ae.Spec.Kind))},
		pair{metadataDecision, clean(string(ae.Spec.Decision))},
		pair{metadataEvent, clean(ae.Name)})
	if ae.Spec.RunRef != nil {
		pairs = append(pairs, pair{metadataRun, clean(ae.Spec.RunRef.Name)})
	}
	if p.late != "" {
		pairs = append(pairs, pair{metadataEventTime, auditing.EventTime(ae).UTC().Format(time.RFC3339Nano)})
	}
	return pairs
}

func nameOf(ae *v1alpha1.AuditEvent) string { return eventName(ae.Namespace, ae.Name) }

func eventName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
