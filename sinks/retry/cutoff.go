package retry

import (
	"context"
	"sync"
	"time"
)

// cutoff is a context that ends at a deadline of its own. context.WithDeadline
// sets a timer and joins its parent whether anybody waits or not; cutoff does so
// when Done is first asked for, so that an attempt which waits for nothing pays
// for one small object. Beyond that it is what WithDeadline returns.
type cutoff struct {
	parent   context.Context //nolint:containedctx // a context is what it is
	deadline time.Time

	mu     sync.Mutex
	err    error              // why it ended, once somebody was told, while there is no inner
	inner  context.Context    // made by the first Done
	cancel context.CancelFunc // of inner
}

// newCutoff returns a context that ends at deadline, which is before the parent's.
func newCutoff(parent context.Context, deadline time.Time) *cutoff {
	return &cutoff{parent: parent, deadline: deadline}
}

// Deadline returns its own deadline.
func (c *cutoff) Deadline() (time.Time, bool) { return c.deadline, true }

// Done returns a channel that is closed at the deadline, with the parent, or by end.
func (c *cutoff) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.inner, c.cancel = context.WithDeadline(c.parent, c.deadline)
		if c.err != nil {
			c.cancel()
		}
	}
	return c.inner.Done()
}

// Err returns nil until the context has ended, and then why.
func (c *cutoff) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
	case c.inner != nil:
		return c.inner.Err()
	case c.parent.Err() != nil:
		c.err = c.parent.Err()
	case !time.Now().Before(c.deadline):
		c.err = context.DeadlineExceeded
	}
	return c.err
}

// Value asks the context that Done made, if it has: that is how package context
// finds it, and joins children to it without a goroutine.
func (c *cutoff) Value(key any) any {
	c.mu.Lock()
	inner := c.inner
	c.mu.Unlock()
	if inner != nil {
		return inner.Value(key)
	}
	return c.parent.Value(key)
}

// end cancels the context, whose attempt is over.
func (c *cutoff) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.cancel != nil:
		c.cancel()
	case c.err == nil:
		c.err = context.Canceled
	}
}
