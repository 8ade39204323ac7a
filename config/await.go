package config

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paddock-dev/audit/driver"
)

// returnGrace is how long after the end of its context a sink may take to return. A sink
// that heeds its context returns an error of its own in that time.
const returnGrace = 100 * time.Millisecond

// await calls a function of a sink, or of the operating system, and returns soon after
// ctx ends, although the function may go on. A panic becomes an error.
func await(ctx context.Context, call func() error) error {
	late, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(returnGrace, end) })
	defer stop()
	err := driver.Await(late, call)
	if late.Err() != nil && errors.Is(err, context.Canceled) {
		return fmt.Errorf("it has not returned in time and goes on by itself: %w", ctx.Err())
	}
	return err
}

// awaitResult is await for a function that returns a value.
func awaitResult[T any](ctx context.Context, call func() (T, error)) (result T, err error) {
	results := make(chan T, 1)
	err = await(ctx, func() error {
		value, err := call()
		results <- value
		return err
	})
	if err == nil {
		result = <-results
	}
	return result, err
}
