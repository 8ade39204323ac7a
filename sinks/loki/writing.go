package loki

import (
	"context"
	"iter"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// writing is one call of Write. The next call uses it again, with its channel and
// its buffer: with a thousand writers what a write allocates is most of its cost.
type writing struct {
	entry  entry
	buffer []byte // entry.wire is a part of it

	// lent is set while a stream may still look at entry: then it is not used again.
	lent bool
	// cause is why the write is to end, once it has read that from entry.done.
	cause error

	// The others are guarded by the Sink's mutex.
	in              *writings
	prev, next      *writing
	namespace, name string // of the event
	until           time.Time
	ended           error                   // why it was told to end, nil if it was not
	cancel          context.CancelCauseFunc // of the context of one that waits for room
}

// keptBuffer bounds, in bytes, the buffer that a writing keeps.
const keptBuffer = 4 << 10

// writings are some calls of Write, in the order in which they came here.
type writings struct{ first, last *writing }

func (l *writings) push(w *writing) {
	w.in, w.prev, w.next = l, l.last, nil
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
}

func (l *writings) remove(w *writing) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.in, w.prev, w.next = nil, nil, nil
}

// ongoing are the calls of Write under way.
type ongoing struct {
	// trying are not stored yet. The first is the first whose time is over, so
	// that one timer serves all. The context of a write has no deadline of its
	// own: it would cost more than the rest of the bookkeeping.
	trying writings
	timer  *time.Timer // nil before the first Write
	armed  bool        // timer is to fire

	// settling wait for the server's disk, which takes as long as it takes.
	settling writings
}

func (o *ongoing) none() bool { return o.trying.first == nil && o.settling.first == nil }

func (o *ongoing) all() iter.Seq[*writing] {
	return func(yield func(*writing) bool) {
		for _, l := range []*writings{&o.trying, &o.settling} {
			for w := l.first; w != nil; w = w.next {
				if !yield(w) {
					return
				}
			}
		}
	}
}

// begin registers a call of Write, unless the Sink is closed.
func (s *Sink) begin(ae *v1alpha1.AuditEvent) (*writing, error) {
	w, ok := s.writings.Get().(*writing)
	if !ok {
		w = &writing{entry: entry{done: make(chan verdict, 2)}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, auditing.WithClass(auditing.ClassClosed, errClosed)
	}
	w.namespace, w.name = ae.Namespace, ae.Name
	w.until = time.Now().Add(s.opts.RetryFor)
	s.ongoing.trying.push(w)
	s.expireAt(w.until)
	return w, nil
}

func (s *Sink) end(w *writing) {
	s.mu.Lock()
	w.in.remove(w)
	if s.closed && s.ongoing.none() {
		close(s.drained)
	}
	s.mu.Unlock()
	if w.lent {
		return
	}
	select { // nobody ends it any more
	case <-w.entry.done:
	default:
	}
	if cap(w.buffer) > keptBuffer {
		w.buffer = nil
	}
	*w = writing{entry: entry{done: w.entry.done}, buffer: w.buffer}
	s.writings.Put(w)
}

// expireAt has expire called at that time, or before. The caller holds the mutex.
func (s *Sink) expireAt(at time.Time) {
	if s.ongoing.armed {
		return
	}
	s.ongoing.armed = true
	left := time.Until(at)
	if s.ongoing.timer == nil {
		s.ongoing.timer = time.AfterFunc(left, s.expire)
	} else {
		s.ongoing.timer.Reset(left)
	}
}

// expire ends the writes whose time is over.
func (s *Sink) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ongoing.armed = false
	now := time.Now()
	for w := s.ongoing.trying.first; w != nil; w = w.next {
		if now.Before(w.until) {
			s.expireAt(w.until)
			return
		}
		w.stop(errGaveUp)
	}
}

// stop has the write end because of cause. The caller holds the Sink's mutex.
func (w *writing) stop(cause error) {
	if w.ended != nil {
		return
	}
	w.ended = cause
	w.entry.done <- verdict{ends: true, err: cause} // it has room for this one
	if w.cancel != nil {
		w.cancel(cause)
	}
}

// context returns a context that ends with the write as well, for what can wait
// for nothing else. It has to be cancelled before the write ends.
func (s *Sink) context(caller context.Context, w *writing) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(caller)
	s.mu.Lock()
	defer s.mu.Unlock()
	w.cancel = cancel
	if w.ended != nil {
		cancel(w.ended)
	}
	return ctx, func() {
		cancel(nil)
		s.mu.Lock()
		defer s.mu.Unlock()
		w.cancel = nil
	}
}
