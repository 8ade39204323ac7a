package loki

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
)

// stream sends the entries with one set of labels.
type stream struct {
	store  *store
	labels string
	queue  *batcher.Queue[entry]
	cutoff atomic.Pointer[cutoff] // nil when none is known

	proving *semaphore.Weighted // held by the push that asks for a proof for all others
	mu      sync.Mutex
	proved  time.Time // when Loki last proved that it stores what it confirms
}

// cutoff is what Loki has said of a stream: it refuses entries that are older.
type cutoff struct {
	ns    int64 // since 1970
	known time.Time
}

const (
	// maxPushBytes bounds a push before compression. Loki answers 429 for ever to
	// more than its burst (6 MiB) and 500 for ever to more than its gRPC limit
	// (4 MiB).
	maxPushBytes = 1 << 20

	// maxSenders is how many pushes of a stream may be under way, and crowd how many entries
	// have to wait before a further push is sent beside others. Both were measured with
	// VictoriaLogs: docs/performance.md has the figures.
	maxSenders = 3
	crowd      = 32

	// cutoffHolds is how long a cutoff is used. The cutoff of a stream only grows while
	// Loki has the stream in memory, but Loki may remove it from there.
	cutoffHolds = 5 * time.Minute

	// maxIdleStreams bounds how many streams that have nothing to send are kept.
	maxIdleStreams = 1024
)

// batching returns the options of the batcher of a sink.
func (o *Options) batching() batcher.Options[entry] {
	longest := streamKey{component: strings.Repeat("x", 63), namespace: strings.Repeat("x", 253), late: lateHour}
	return batcher.Options[entry]{
		Size:            func(e entry) int { return e.size() },
		Name:            func(e entry) string { return e.event.Ref() },
		Compare:         compareTimes,
		MaxBytes:        maxPushBytes - len(o.labelsOf(longest)) - entryExtra,
		MaxInFlight:     o.MaxInFlight,
		MaxPerQueue:     maxSenders,
		Crowd:           crowd,
		MaxPendingBytes: o.MaxPendingBytes,
	}
}

// streamKey identifies a stream of a store.
type streamKey struct{ component, namespace, late string }

// stream returns the stream of e with this label late, which is "" for the regular stream.
func (s *store) stream(e *driver.Event, late string) *stream {
	key := streamKey{component: e.Component(), namespace: e.Namespace(), late: late}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.streams[key]
	if q == nil {
		if len(s.streams) >= maxIdleStreams {
			maps.DeleteFunc(s.streams, func(_ streamKey, old *stream) bool { return old.queue.Waiting() == 0 })
		}
		q = &stream{store: s, labels: s.opts.labelsOf(key), proving: semaphore.NewWeighted(1)}
		q.queue = s.batches.Queue(q.send)
		s.streams[key] = q
	}
	return q
}

// isBehind reports whether Loki has said recently that it refuses entries as old as ns in
// this stream.
func (q *stream) isBehind(ns int64) bool {
	c := q.cutoff.Load()
	return c != nil && ns < c.ns && time.Since(c.known) < cutoffHolds
}
