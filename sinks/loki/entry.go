package loki

import "context"

// entry is one event on its way to one stream. All but done and ns are guarded
// by the stream's mutex once the entry is added.
type entry struct {
	ns   int64        // timestamp
	wire []byte       // EntryAdapter; nil when the writer has gone
	done chan verdict // takes one

	flight  *flight // nil while it waits in a queue
	settled bool
	tried   attempt // attemptNone or attemptUnclear
	last    error   // of the last push it was in
}

// verdict is what became of an entry.
type verdict struct {
	refused refused
	err     error // nil when stored
}

// attempt says what is known of an entry that has no verdict.
type attempt int

const (
	attemptNone     attempt = iota // surely not stored
	attemptUnderWay                // its push is under way
	attemptUnclear                 // a push of it ended without a clear answer
)

// flight is one push.
type flight struct {
	entries []*entry
	waiting int // writers that have not gone
	cancel  context.CancelFunc
}
