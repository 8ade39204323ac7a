package kube

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// maxAbandoned bounds the calls of one client that have not returned although the
// contexts of their writers have ended. Each holds a goroutine and an event.
const maxAbandoned = 1000

// abandoned counts these calls, by client: a Sink is a literal and cannot hold them.
var abandoned = struct {
	mu    sync.Mutex
	calls map[client.Writer]int // only of clients that have some
}{calls: map[client.Writer]int{}}

// await calls the client, and returns when ctx ends at the latest. A client asks for the
// server's API before its first request, and does that without the caller's context.
func (s store) await(ctx context.Context, call func() error) error {
	if ctx.Done() == nil {
		return call()
	}
	key := s.Client
	if !reflect.TypeOf(key).Comparable() {
		key = nil // such clients share a bound
	}
	if n := addAbandoned(key, 0); n >= maxAbandoned {
		return driver.WithClass(auditing.ClassFull, fmt.Errorf(
			"%d earlier calls of the client have not returned although their writers gave up: is the API server silent?", n))
	}
	const running, returned, left = 0, 1, 2
	var state atomic.Int32
	err := driver.Await(ctx, func() error {
		defer func() {
			if !state.CompareAndSwap(running, returned) {
				addAbandoned(key, -1)
			}
		}()
		return call()
	})
	if state.CompareAndSwap(running, left) {
		addAbandoned(key, 1)
	}
	return err
}

// addAbandoned adds n to the abandoned calls of a client and returns how many there are.
func addAbandoned(of client.Writer, n int) int {
	abandoned.mu.Lock()
	defer abandoned.mu.Unlock()
	now := abandoned.calls[of] + n
	if now == 0 {
		delete(abandoned.calls, of)
	} else if n != 0 {
		abandoned.calls[of] = now
	}
	return now
}
