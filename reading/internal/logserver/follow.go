package logserver

import (
	"context"
	"crypto/sha256"
	"iter"
	"time"

	"github.com/paddock-dev/audit/reading"
)

const (
	// lateEvery is how many polls of regular events there are to one of late ones.
	lateEvery = 10
	// maxSeen bounds the entries that a poll remembers for the next one. Of more than that
	// in an overlap, some are yielded again.
	maxSeen = 1 << 20
	// firstPause and longestPause are between a failure and the next request.
	firstPause   = 500 * time.Millisecond
	longestPause = 15 * time.Second
)

// Follow reads what is stored, and then polls. Each poll begins Overlap before the last one
// did that was answered, and yields what that one did not see.
func (s *Source) Follow(ctx context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return func(yield func(*reading.Record, error) bool) {
		regular := &polled{source: s, query: q, overlap: s.Overlap, window: s.regular}
		late := &polled{source: s, query: q, overlap: s.LateOverlap, window: s.late}
		pause := firstPause
		for n := 0; ctx.Err() == nil; n++ {
			err := error(nil)
			wanted := true
			if n%lateEvery == 0 {
				wanted, err = late.poll(ctx, regular, yield)
			}
			if err == nil && wanted {
				wanted, err = regular.poll(ctx, late, yield)
			}
			if !wanted || ctx.Err() != nil {
				return
			}
			wait := s.Interval
			if err != nil {
				if !yield(nil, err) {
					return
				}
				n = -1 // late events are due as well
				wait = max(pause, s.Interval)
				pause = min(2*pause, longestPause)
			} else {
				pause = firstPause
			}
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
	}
}

// polled are the streams that are polled together.
type polled struct {
	source  *Source
	query   *reading.Query
	overlap time.Duration
	window  func(*reading.Query, time.Time) window

	last time.Time // when the last poll began that was answered; zero for none
	seen map[content]bool
}

// content identifies a line.
type content [16]byte

// poll yields what is new. It returns false when nobody wants more.
func (p *polled) poll(ctx context.Context, other *polled, yield func(*reading.Record, error) bool) (wanted bool, err error) {
	began := time.Now()
	w := p.window(p.query, began)
	if !p.last.IsZero() {
		w.from = max(w.from, nanoseconds(p.last.Add(-p.overlap)))
	}
	c := p.source.collector(p.query)
	c.keep = true
	defer c.sorter.Close()
	seen := map[content]bool{}
	remembered := nanoseconds(began.Add(-p.overlap)) // the next poll finds no entry before that
	err = p.source.scan(ctx, p.query, w, func(e Entry) error {
		sum := sha256.Sum256([]byte(e.Line))
		id := content(sum[:16])
		known := seen[id] || p.seen[id] || other.seen[id]
		if e.Time >= remembered && len(seen) < maxSeen {
			seen[id] = true
		}
		if known {
			return nil
		}
		return c.take(e)
	})
	if err != nil {
		return true, err
	}
	p.last, p.seen = began, seen
	return c.results(yield), nil
}
