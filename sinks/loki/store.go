package loki

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/lokinames"
	"github.com/paddock-dev/audit/sinks/loki/internal/lines"
)

// entry is one event in the form in which it is sent to a stream.
type entry struct {
	event *driver.Event
	at    placement
	line  []byte
	size  int // the most that it adds to a request, in bytes
	outcome
}

// outcome says whether an entry is stored. It is empty until known is set.
type outcome struct {
	known   bool
	refused refused
	err     error // nil when stored
}

// write is one event of a Store. While it has no outcome, it is sent to one stream after
// the other.
type write struct {
	entry
	stream *stream
	push   *push // nil unless the entry is in one
	slot   int   // of the entry in push
}

// Store adds each event to its stream, and waits until all of them have an outcome. An
// event that Loki refuses for its time is then added to another stream.
func (s *store) Store(ctx context.Context, events []*driver.Event) []error {
	if err := s.Enter(len(events)); err != nil {
		return driver.All(len(events), err)
	}
	defer s.Leave(len(events))
	begun := time.Now()
	var one [1]write // most calls have one event, and this one is not allocated
	writes := one[:]
	if len(events) > 1 {
		writes = make([]write, len(events))
	}
	for i, e := range events {
		w := &writes[i]
		if err := s.opts.keeps(e, begun); err != nil {
			w.outcome = outcome{known: true, err: driver.Permanent(err)}
			continue
		}
		w.event = e
		s.place(w, s.firstPlacement(e))
	}
	for s.round(ctx, writes) {
	}
	err := s.awaitDisk(ctx, writes, begun)
	return s.outcomes(events, writes, err)
}

// awaitDisk waits until the stored events are on the server's disk, if the level requires
// that. Its error is the outcome of all stored events.
func (s *store) awaitDisk(ctx context.Context, writes []write, begun time.Time) error {
	if s.disk == nil || !slices.ContainsFunc(writes, func(w write) bool { return w.err == nil }) {
		return nil
	}
	answered := time.Now()
	ctx, cancel := s.withPushing(ctx)
	defer cancel()
	return s.disk.await(ctx, begun, answered)
}

// outcomes returns the error of each event, or nil when there is none. The error of a
// stored event is disk.
func (s *store) outcomes(events []*driver.Event, writes []write, disk error) (errs []error) {
	for i := range writes {
		if err := cmp.Or(writes[i].err, disk); err != nil {
			if errs == nil {
				errs = make([]error, len(writes))
			}
			errs[i] = err
		}
	}
	if errs != nil && s.pushing.Err() != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, err := range errs {
			if err != nil {
				s.unconfirmed = append(s.unconfirmed, events[i].Ref())
			}
		}
	}
	return errs
}

// round sends all writes without an outcome once. It returns true when some of them now
// have to be sent to another stream.
func (s *store) round(ctx context.Context, writes []write) (more bool) {
	first := 0
	for i := range writes {
		w := &writes[i]
		if w.known {
			continue
		}
		if w.line == nil {
			w.line = lines.Of(w.event, s.opts.MaxLineBytes)
		}
		w.setSize()
		if !s.room.TryAcquire(w.memory()) {
			// A Store first waits for its own pushes, so that it holds no room while it
			// waits for more. Otherwise two Stores could wait for each other.
			more = s.await(ctx, writes[first:i]) || more
			first = i
			if err := s.awaitRoom(ctx, w.memory()); err != nil {
				for j := range writes {
					if !writes[j].known {
						writes[j].outcome = outcome{known: true, err: err}
					}
				}
				return false
			}
		}
		w.push, w.slot = w.stream.add(&w.entry)
	}
	return s.await(ctx, writes[first:]) || more
}

// memory returns the memory that w needs, in bytes: its size, and about 512 more.
func (w *write) memory() int64 { return int64(w.size) + 512 }

func (s *store) awaitRoom(ctx context.Context, size int64) error {
	ctx, cancel := s.withPushing(ctx)
	defer cancel()
	if s.room.Acquire(ctx, size) == nil {
		return nil
	}
	class := auditing.ClassFull
	if s.pushing.Err() != nil {
		class = auditing.ClassClosed
	}
	return driver.WithClass(class, fmt.Errorf("%s: %d bytes of events wait already (MaxPendingBytes): %w",
		notSent, s.opts.MaxPendingBytes, context.Cause(ctx)))
}

// await waits for the pushes of the writes that are in one. It returns true when some of
// them now have to be sent to another stream.
func (s *store) await(ctx context.Context, writes []write) (more bool) {
	for i := range writes {
		if writes[i].push != nil {
			writes[i].stream.start() // not before all of them are added, so that they share pushes
		}
	}
	for i := range writes {
		w := &writes[i]
		if w.push == nil {
			continue
		}
		w.outcome = w.stream.await(ctx, w.push, w.slot)
		w.push = nil
		s.room.Release(w.memory())
		if w.refused != refusedNot && w.at.late != lateSent {
			s.placeAgain(w, w.refused)
			more = true
		}
	}
	return more
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
	w.at, w.stream = at, s.stream(w.event, at.late)
	w.outcome = outcome{}
	if at.late == "" && w.stream.isBehind(at.ns) {
		s.placeAgain(w, refusedBehind)
	}
}

// placeAgain gives w its next place after Loki has refused it, and remembers that place.
// There is no further place after lateSent.
func (s *store) placeAgain(w *write, why refused) {
	at := sent(w.event.Ref(), time.Now())
	if w.at.late == "" && why == refusedBehind {
		at = placement{late: w.event.Time().Format(lateHour), ns: w.at.ns}
	}
	s.moved.Add(w.event.Ref(), at)
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
