package metrics

import (
	"maps"
	"sync"
	"sync/atomic"
)

// cache saves each write the lookups of prometheus, which take longer than counting.
// Its keys are bounded labels, so it stays small, and adding a key copies it.
type cache[K comparable, V any] struct {
	mu   sync.Mutex
	held atomic.Pointer[map[K]V]
}

func (c *cache[K, V]) find(key K) (v V, ok bool) {
	if held := c.held.Load(); held != nil {
		v, ok = (*held)[key]
	}
	return v, ok
}

func (c *cache[K, V]) keep(key K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	more := map[K]V{key: v}
	if held := c.held.Load(); held != nil {
		maps.Copy(more, *held)
	}
	c.held.Store(&more)
}
