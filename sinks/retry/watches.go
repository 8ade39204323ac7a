package retry

import (
	"sync"
	"time"
)

// watches lets the cutoffs of a Sink that somebody waits for begin to watch,
// watchAfter after they were asked to: one timer for all of that time.
type watches struct {
	mu    sync.Mutex
	asked []*cutoff
	spare []*cutoff // empty; the room of asked before
}

func (w *watches) add(c *cutoff) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.asked) == 0 {
		// A new timer each time: one that a test made within a bubble of
		// testing/synctest could not serve outside.
		time.AfterFunc(watchAfter, w.run)
	}
	w.asked = append(w.asked, c)
}

func (w *watches) run() {
	w.mu.Lock()
	asked := w.asked
	w.asked, w.spare = w.spare, nil
	w.mu.Unlock()
	for _, c := range asked {
		c.watch()
	}
	clear(asked)
	w.mu.Lock()
	w.spare = asked[:0]
	w.mu.Unlock()
}

// cutoffs come in rows, for one allocation each would be one too many.
type cutoffs struct {
	row  [16]cutoff
	used int
}

var rows = sync.Pool{New: func() any { return new(cutoffs) }}

// newCutoff returns one that was never used: whoever still has an earlier one may
// ask it for ever.
func newCutoff() *cutoff {
	r := rows.Get().(*cutoffs) //nolint:forcetypeassert // it holds nothing else
	c := &r.row[r.used]
	if r.used++; r.used < len(r.row) {
		rows.Put(r)
	}
	return c
}
