package loki

import (
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
	"github.com/paddock-dev/audit/internal/lokinames"
)

// entry is one event in the form in which it is sent to a stream.
type entry struct {
	event *driver.Event
	at    placement
	line  *[]byte // from newLine
	again bool    // Loki has been sent it, and has not said what became of it
}

// Store adds each event to its stream, and waits until all of them have an outcome. An
// event that Loki refuses for its time is then added to another stream.
func (s *store) Store(ctx context.Context, events []*driver.Event) []error {
	if err := s.batches.Enter(len(events)); err != nil {
		return driver.All(len(events), err)
	}
	begun := time.Now()
	var one [1]write // most calls have one event, and this one is not allocated
	writes := one[:]
	if len(events) > 1 {
		writes = make([]write, len(events))
	}
	defer func() { s.batches.Leave(writes) }()
	for i, e := range events {
		w := &writes[i]
		w.Value.event = e
		if err := s.opts.keeps(e, begun); err != nil {
			w.Err = driver.Permanent(err)
			continue
		}
		w.Value.line = newLine(e, s.opts.MaxLineBytes)
		s.place(w, s.firstPlacement(e))
	}
	for more := true; more; {
		s.batches.Store(ctx, writes)
		more = s.placeRefused(writes)
	}
	for i := range writes {
		if writes[i].Err == nil { // otherwise a push that its writer has left may still read the line
			lineBuffers.Put(writes[i].Value.line)
			writes[i].Value.line = nil
		}
	}
	s.awaitDisk(ctx, writes, begun)
	return outcomes(writes)
}

// write is one event of a Store. Its queue is that of the stream to which it is to be sent,
// and nil once it has an outcome.
type write = batcher.Item[entry]

// placeRefused gives those writes their next place that Loki has refused for their time. It
// returns true when there are any.
func (s *store) placeRefused(writes []write) (more bool) {
	for i := range writes {
		w := &writes[i]
		if w.Queue == nil {
			continue
		}
		w.Queue = nil
		if w.Err == nil {
			continue
		}
		if r, ok := errors.AsType[*timeRefused](w.Err); ok && w.Value.at.late != lateSent {
			s.placeAgain(w, r.why)
			more = true
		}
	}
	return more
}

// outcomes returns the error of each write, or nil when there is none.
func outcomes(writes []write) (errs []error) {
	for i := range writes {
		if writes[i].Err == nil {
			continue
		}
		if errs == nil {
			errs = make([]error, len(writes))
		}
		errs[i] = writes[i].Err
	}
	return errs
}

// awaitDisk waits until the stored events are on the server's disk, if the level requires
// that. When they may not be, it sets the error of each.
func (s *store) awaitDisk(ctx context.Context, writes []write, begun time.Time) {
	if s.disk == nil || !slices.ContainsFunc(writes, func(w write) bool { return w.Err == nil }) {
		return
	}
	answered := time.Now()
	ctx, cancel := s.batches.Context(ctx)
	defer cancel()
	err := s.disk.await(ctx, begun, answered)
	for i := range writes {
		writes[i].Err = cmp.Or(writes[i].Err, err)
	}
}

// placement is where an entry goes: the stream's label late, "" for the regular
// stream, and the timestamp in nanoseconds since 1970.
type placement struct {
	late string
	ns   int64
}

const (
	lateSent = lokinames.LateSent // the label late of events whose true time Loki does not take
	lateHour = "2006-01-02T15Z"   // the form of the label late otherwise: the event's own hour

	// sentSlot cuts the time of sending, so that a retry finds the same one. It is
	// far shorter than the hour within which Loki takes entries of a stream, because
	// clocks differ.
	sentSlot = 10 * time.Minute

	// rememberedPlaces bounds how many late events a sink remembers, so that writing
	// one again in this process goes where it went before.
	rememberedPlaces = 8192
)

// place sets the stream and the time of w to at. When Loki is known to refuse that for a
// regular stream, it takes the next place.
func (s *store) place(w *write, at placement) {
	q := s.stream(w.Value.event, at.late)
	w.Value.at, w.Value.again, w.Queue = at, false, q.queue
	if at.late == "" && q.isBehind(at.ns) {
		s.placeAgain(w, refusedBehind)
	}
}

// placeAgain gives w its next place after Loki has refused it, and remembers that place.
// There is no further place after lateSent.
func (s *store) placeAgain(w *write, why refused) {
	e, old := w.Value.event, w.Value.at
	at := sent(e.Ref(), time.Now())
	if old.late == "" && why == refusedBehind {
		at = placement{late: e.Time().Format(lateHour), ns: old.ns}
	}
	s.moved.Add(e.Ref(), at)
	s.place(w, at)
}

// firstPlacement returns the place that is remembered for an event, or else its own time
// in its regular stream.
func (s *store) firstPlacement(e *driver.Event) placement {
	if s.moved.Len() > 0 { // most sinks never have a late event
		if known, ok := s.moved.Get(e.Ref()); ok {
			return known.(placement) //nolint:forcetypeassert // it holds nothing else
		}
	}
	at := placement{ns: e.Time().UnixNano()}
	if t := e.Time().Unix(); t < 0 || t > math.MaxInt64/int64(time.Second)-1 { // Loki cannot represent these times
		at = sent(e.Ref(), time.Now())
		s.moved.Add(e.Ref(), at)
	}
	return at
}

// sent returns the place of an event at its time of sending. The fraction of a second is
// made from the name, so that thousands of late events do not have the same timestamp.
func sent(name string, now time.Time) placement {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	spread := int64(h.Sum64() % uint64(time.Second))
	return placement{late: lateSent, ns: now.Truncate(sentSlot).UnixNano() + spread}
}
