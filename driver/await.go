package driver

import (
	"context"
	"fmt"
	"runtime"
)

// Await calls a function that may go on after ctx has ended, and waits for it no longer
// than ctx lasts. It then returns an error that wraps that of ctx, while the function
// goes on, on a goroutine of its own. A panic of the function becomes an error.
func Await(ctx context.Context, call func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errNoReturn // stays when call ends the goroutine
		defer func() { done <- err }()
		growStack()
		err = guarded(call)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer yet, so the outcome is unknown: %w", ctx.Err())
	}
}

// growStack grows the stack of a new goroutine to 16 KiB at once. Such a stack has 2 KiB, and
// below the deep calls of a client it would be doubled three times, each time with a copy of
// all that is on it: a quarter of what a write to the API server costs its caller.
//
//go:noinline
func growStack() {
	var room [12 << 10]byte
	runtime.KeepAlive(&room)
}
