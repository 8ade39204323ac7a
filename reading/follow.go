package reading

import (
	"context"
	"iter"
	"sync"
)

// maxSeen bounds the events that Follow remembers, to yield each once.
const maxSeen = 1 << 16

// Follow yields the events of all sources as they come, each once, interleaved. It ends
// with ctx. An error is a *Foreign or *Failed; a source that failed goes on by itself where
// it can.
func Follow(ctx context.Context, q *Query, sources ...Follower) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		results := make(chan result)
		var following sync.WaitGroup
		defer following.Wait()
		defer cancel()
		for _, s := range sources {
			following.Go(func() {
				for r, err := range s.Follow(ctx, q) {
					if err != nil {
						err = named(s, err)
					}
					select {
					case results <- result{r, err}:
					case <-ctx.Done():
						return
					}
				}
			})
		}
		go func() {
			following.Wait()
			close(results)
		}()
		seen := newRecent(maxSeen)
		for next := range results {
			if next.err == nil && !seen.add(next.record.Key()) {
				continue
			}
			if !yield(next.record, next.err) {
				return
			}
		}
	}
}

// recent is a set of the keys that were added last.
type recent struct {
	keys map[Key]struct{}
	ring []Key
	next int
}

func newRecent(n int) *recent { return &recent{keys: make(map[Key]struct{}), ring: make([]Key, n)} }

// add reports whether the key is new.
func (s *recent) add(k Key) bool {
	if _, has := s.keys[k]; has {
		return false
	}
	delete(s.keys, s.ring[s.next])
	s.ring[s.next] = k
	s.next = (s.next + 1) % len(s.ring)
	s.keys[k] = struct{}{}
	return true
}
