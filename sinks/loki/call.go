package loki

import (
	"sync/atomic"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// call is one Store under way. A later one uses it again: with a thousand writers
// what a write allocates is most of its cost.
type call struct {
	entries []entry  // one for each event, in their order
	one     [1]entry // room for those of most calls
	todo    []*entry // those without an outcome
	text    []byte   // their lines, one behind the other

	left atomic.Int32  // entries of a round that have no verdict yet
	done chan struct{} // takes a token when left comes to 0
	lent bool          // a stream may still look at the entries
}

// entry is one event on its way to one stream.
type entry struct {
	event  *driver.Event
	call   *call
	at     placement
	stream *stream
	line   []byte
	size   int // as encoded

	// The stream's mutex guards the others while the entry is in it.
	flight  *flight // nil unless its push is under way
	again   bool    // Loki answered 400 to a push of it: it may be stored
	gone    bool    // its writer has stopped to wait for it
	settled bool
	verdict verdict
}

// verdict is what became of an entry.
type verdict struct {
	refused refused
	err     error // nil when stored
}

// What a rare giant batch needed is kept out of the pool.
const (
	maxPooledEntries = batchToDisk
	maxPooledText    = maxPushBytes
)

// begin registers a call of Store, unless the store is closed.
func (s *store) begin(events []*driver.Event) (*call, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, driver.WithClass(auditing.ClassClosed, errClosed)
	}
	s.underWay += len(events)
	s.mu.Unlock()
	c, ok := s.calls.Get().(*call)
	if !ok {
		c = &call{done: make(chan struct{}, 1)}
		c.entries = c.one[:]
	}
	if cap(c.entries) < len(events) {
		c.entries = make([]entry, len(events))
	}
	c.entries = c.entries[:len(events)]
	for i, e := range events {
		c.entries[i] = entry{event: e, call: c}
	}
	return c, nil
}

// end takes leave of a call and returns the outcomes.
func (s *store) end(c *call) (errs []error) {
	for i := range c.entries {
		if err := c.entries[i].verdict.err; err != nil {
			if errs == nil {
				errs = make([]error, len(c.entries))
			}
			errs[i] = err
		}
	}
	s.mu.Lock()
	if s.pushing.Err() != nil {
		for i, err := range errs {
			if err != nil {
				s.unconfirmed = append(s.unconfirmed, c.entries[i].event.Ref())
			}
		}
	}
	s.underWay -= len(c.entries)
	s.closeDrained()
	s.mu.Unlock()
	if !c.lent && cap(c.entries) <= maxPooledEntries && cap(c.text) <= maxPooledText {
		clear(c.entries)
		c.todo, c.text = c.todo[:0], c.text[:0]
		s.calls.Put(c)
	}
	return errs
}
