package loki

import "context"

// entry is one event on its way to one stream. All but done, ns and wire are
// guarded by the stream's mutex once the entry is added; wire is then nil when
// the writer has gone.
type entry struct {
	ns   int64        // timestamp
	wire []byte       // EntryAdapter
	done chan verdict // takes a verdict and one that ends the write

	flight  *flight // nil while it waits in a queue
	settled bool
	verdict verdict // once settled
	tried   attempt // attemptNone or attemptUnclear
	last    error   // of the last push it was in
}

// begin makes e as good as new, but for its channel, on which Close and the end of
// its time may just be reported.
func (e *entry) begin(ns int64, wire []byte) {
	e.ns, e.wire = ns, wire
	e.flight, e.settled, e.verdict = nil, false, verdict{}
	e.tried, e.last = attemptNone, nil
}

// verdict is what became of an entry, or, with ends, that its writer is to wait
// for it no longer because of err.
type verdict struct {
	refused refused
	ends    bool
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

	failures int // of its stream when it was sent
}
