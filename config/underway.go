package config

import (
	"context"
	"sync"
)

// underWay counts writes. Unlike sync.WaitGroup it lets more begin after a wait
// that gave up, which is what happens when a hand-over takes too long: a
// WaitGroup panics when it is used again before its last Wait has returned.
type underWay struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // made by who waits, closed when n is 0
}

func (u *underWay) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n++
}

func (u *underWay) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n--
	if u.n == 0 && u.none != nil {
		close(u.none)
		u.none = nil
	}
}

// wait returns when there was none at some time since, or ctx has ended.
func (u *underWay) wait(ctx context.Context) error {
	u.mu.Lock()
	if u.n == 0 {
		u.mu.Unlock()
		return nil
	}
	if u.none == nil {
		u.none = make(chan struct{})
	}
	none := u.none
	u.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
