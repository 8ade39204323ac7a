package lokitest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// blockSize is the size of a block, in bytes. Loki recognises a repeat at once while the first entry is in the open block
// of its stream.
const blockSize = 256 << 10

// chunkSize is the size of a chunk, in bytes (ingester.chunk_target_size). A chunk of that size is closed, as by a flush.
// Loki counts the compressed bytes.
const chunkSize = 3 << 19

// stream holds the entries that a tenant has stored under one set of labels.
type stream struct {
	labels map[string]string
	text   string
	rate   *rate.Limiter
	newest int64 // the largest timestamp, in nanoseconds since 1970; 0 for no entry

	open       map[identity]bool // of the open block
	openBytes  int
	chunkBytes int
	recent     []entry // of the open chunk, in which an entry of an earlier block may be repeated

	closed  []entry // of closed chunks, each once
	flushed map[identity]bool
}

// identity is the same for two entries of a stream when one is a repeat of the other.
type identity struct {
	time           int64
	line, metadata string
}

func (e *entry) identity() identity {
	var metadata strings.Builder
	for _, p := range e.Metadata {
		metadata.WriteString(strconv.Quote(p.Name) + strconv.Quote(p.Value))
	}
	return identity{time: e.Time, line: e.Line, metadata: metadata.String()}
}

func newStream(labels map[string]string, text string) *stream {
	return &stream{labels: labels, text: text, open: map[identity]bool{}, flushed: map[identity]bool{}}
}

// refusedEntry is an entry that its stream refuses.
type refusedEntry struct {
	entry  entry
	reason string
	rate   bool // it is refused for the rate only, so the stream may accept it later
}

// judge returns the entries that the stream accepts, and those that it refuses. Each accepted entry may become the
// stream's newest, by which the next entries are judged.
func (st *stream) judge(entries []entry, limits Limits, behind time.Duration, now time.Time) (taken []entry, refused []refusedEntry) {
	if st.rate == nil {
		st.rate = rate.NewLimiter(rate.Limit(limits.StreamRate), limits.StreamBurst)
	}
	newest, bytes := st.newest, 0
	for _, e := range entries {
		oldest := newest - int64(behind)
		switch {
		case newest != 0 && e.Time < oldest:
			refused = append(refused, refusedEntry{entry: e, reason: fmt.Sprintf(
				"entry too far behind, entry timestamp is: %s, oldest acceptable timestamp is: %s", rfc3339(e.Time), rfc3339(oldest))})
		case !limits.ShardStreams && !st.rate.AllowN(now, e.size()):
			refused = append(refused, refusedEntry{entry: e, reason: st.overRate(limits, e.size()), rate: true})
		default:
			taken = append(taken, e)
			bytes += e.size()
			newest = max(newest, e.Time)
		}
	}
	if limits.ShardStreams && !st.rate.AllowN(now, bytes) {
		for _, e := range taken {
			refused = append(refused, refusedEntry{entry: e, reason: st.overRate(limits, bytes), rate: true})
		}
		return nil, refused
	}
	return taken, refused
}

func (st *stream) overRate(limits Limits, bytes int) string {
	return fmt.Sprintf("Per stream rate limit exceeded (limit: %s/sec) while attempting to ingest for stream '%s' totaling %s, "+
		"consider splitting a stream via additional labels or contact your Loki administrator to see if the limit can be increased",
		sizeText(limits.StreamRate), st.text, sizeText(bytes))
}

func rfc3339(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }

// store stores an entry, unless it repeats an entry of the open block.
func (st *stream) store(e entry) {
	id := e.identity()
	st.newest = max(st.newest, e.Time)
	if st.open[id] {
		return
	}
	st.recent = append(st.recent, e)
	st.open[id] = true
	st.openBytes += e.size()
	st.chunkBytes += e.size()
	switch {
	case st.chunkBytes >= chunkSize:
		st.closeChunk()
	case st.openBytes >= blockSize:
		st.open, st.openBytes = map[identity]bool{}, 0
	}
}

// closeChunk closes the open chunk and removes its repeats.
func (st *stream) closeChunk() {
	for _, e := range st.recent {
		if id := e.identity(); !st.flushed[id] {
			st.flushed[id] = true
			st.closed = append(st.closed, e)
		}
	}
	st.recent, st.chunkBytes = nil, 0
	st.open, st.openBytes = map[identity]bool{}, 0
}

// entries returns a new slice of the entries that a query finds.
func (st *stream) entries() []entry {
	all := make([]entry, 0, len(st.closed)+len(st.recent))
	all = append(all, st.closed...)
	for _, e := range st.recent {
		if len(st.flushed) == 0 || !st.flushed[e.identity()] {
			all = append(all, e)
		}
	}
	return all
}
