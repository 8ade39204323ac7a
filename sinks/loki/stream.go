package loki

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// stream commits the entries of one set of labels in groups: while a push is
// under way, what comes meanwhile goes into the next. Its goroutines live as long
// as there is something to send.
type stream struct {
	sink   *Sink
	labels string
	wake   chan struct{} // holds a token when the queue has run empty

	mu      sync.Mutex
	queue   []*entry
	groups  [][]*entry // to be sent each by itself, before the queue
	live    int        // entries in queue and groups whose writer has not gone
	pushers int        // goroutines, and writers who lead

	// most bounds the entries of a push: halved when Loki cannot take them, so
	// that one event cannot hold up the others, and doubled when it can.
	most      int
	failures  int       // pushes in a row, but for those that were under way
	notBefore time.Time // of the next push
	proved    time.Time // that Loki stores what it confirms

	cutoff      atomic.Int64 // what is older is behind this stream; 0 for not known
	cutoffKnown time.Time    // when cutoff was learnt
}

const (
	firstBackoff = 50 * time.Millisecond
	// maxBackoff is short, for a write may have a second only, and Loki's limits
	// are rates a second.
	maxBackoff = time.Second

	// cutoffHolds is how long Loki's word on what is behind a stream is relied
	// on. It only moves forward while Loki keeps the stream in memory.
	cutoffHolds = 5 * time.Minute
)

const unlimited = 1 << 20 // entries; maxPushBytes comes first

const (
	// maxPushers is how many pushes of a stream are under way at most: with a
	// second one Loki decodes the next push while it stores the one before; a
	// third gains nothing that could be measured.
	maxPushers = 2
	// crowd is how many entries have to wait for a second push at the same time:
	// fewer are better off together, in the next.
	crowd = 256
)

func newStream(s *Sink, labels string) *stream {
	return &stream{sink: s, labels: labels, wake: make(chan struct{}, 1), most: unlimited}
}

// add queues e and sees that somebody sends it: a goroutine, or the writer of e
// itself, who then has to call lead with what it gets.
func (q *stream) add(e *entry) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) > 2*q.live+64 {
		q.queue = slices.DeleteFunc(q.queue, gone)
	}
	q.queue = append(q.queue, e)
	q.live++
	if q.pushers > 0 {
		if q.pushers < maxPushers && q.crowded() {
			q.pushers++
			q.start()
		}
		return nil
	}
	q.pushers++
	if q.sink.leads && q.live == 1 && !time.Now().Before(q.notBefore) {
		select {
		case b := <-q.sink.slots:
			return b
		default:
		}
	}
	q.start()
	return nil
}

// crowded reports that a further push is worth its while. After a failure pushes
// go one by one, until it is clear what Loki takes.
func (q *stream) crowded() bool {
	return q.live >= crowd && q.failures == 0 && len(q.groups) == 0 && !q.unproved()
}

func gone(e *entry) bool { return e.wire == nil }

// leave takes e out, for its writer gives up, and returns what to tell the
// caller. A push with other writers goes on. It returns nil when e has got its
// verdict in the meantime.
func (q *stream) leave(e *entry, cause error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.settled {
		return nil
	}
	state := e.tried
	if f := e.flight; f != nil {
		state = attemptUnderWay
		f.waiting--
		if f.waiting == 0 {
			f.cancel()
		}
	} else {
		q.live--
		q.signal()
	}
	e.wire = nil
	return gaveUp(state, cause, e.last)
}

// signal wakes the goroutine when there is nothing left to wait for.
func (q *stream) signal() {
	if q.live == 0 {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// idle reports that nothing is lost when the stream is forgotten.
func (q *stream) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pushers == 0 && time.Now().After(q.notBefore)
}

// isBehind reports that Loki has just said of this stream that it takes nothing
// as old as ns.
func (q *stream) isBehind(ns int64) bool {
	if ns >= q.cutoff.Load() {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Since(q.cutoffKnown) < cutoffHolds
}
