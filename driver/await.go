package driver

import (
	"context"
	"fmt"
)

// Await calls a function that may go on after ctx has ended, and waits for it no longer
// than ctx lasts. It then returns an error that wraps that of ctx, while the function
// goes on, on a goroutine of its own. A panic of the function becomes an error.
func Await(ctx context.Context, call func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errNoReturn // stays when call ends the goroutine
		defer func() { done <- err }()
		err = guarded(call)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer yet, so the outcome is unknown: %w", ctx.Err())
	}
}
