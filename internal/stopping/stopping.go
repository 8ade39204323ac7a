// Package stopping lets a program end soon after a signal: what is under way gets a
// bounded time, and what does not heed that is left behind.
package stopping

import (
	"context"
	"time"
)

// Grace is how long a program goes on after the signal that ends it. With what the
// process itself takes, it ends within a second.
const Grace = 800 * time.Millisecond

// Requests is how long requests under way are waited for, within Grace.
const Requests = 300 * time.Millisecond

// Context returns a context that ends after timeout, or Requests after ctx has ended:
// a request that is answered normally is finished, and one without an answer holds
// nobody up. Calling cancel releases it.
func Context(ctx context.Context, timeout time.Duration) (longer context.Context, cancel context.CancelFunc) {
	longer, end := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(Requests, end) })
	return longer, func() {
		stop()
		end()
	}
}

// Promptly returns what run returns, and true; or false when run still goes on Grace
// after ctx has ended. It may wait for a file, for a server, or for a reader of its
// output, and know no context.
func Promptly(ctx context.Context, run func() int) (code int, ended bool) {
	done := make(chan int, 1)
	go func() { done <- run() }()
	select {
	case code := <-done:
		return code, true
	case <-ctx.Done():
	}
	grace := time.NewTimer(Grace)
	defer grace.Stop()
	select {
	case code := <-done:
		return code, true
	case <-grace.C:
		return 0, false
	}
}
