package retry

import (
	"context"
	"sync"
	"time"
)

// watchAfter is how long a cutoff whose Done was asked for waits before it sets
// its timer and joins its parent. Most attempts are over by then. Until then the
// end of the parent closes the channel that much later.
const watchAfter = time.Millisecond

// cutoff is a context that ends at a deadline of its own. context.WithDeadline
// sets a timer and joins its parent at once; cutoff does so when somebody has
// waited for its end for watchAfter, so that an attempt which is short costs next
// to nothing. Beyond that it does what WithDeadline does.
type cutoff struct {
	parent   context.Context //nolint:containedctx // a context is what it is
	deadline time.Time
	watches  *watches // nil for at once

	mu      sync.Mutex
	err     error                // why it ended, once somebody noticed
	done    chan struct{}        // made by the first Done
	unwatch func()               // takes back what watch did; nil before
	after   map[*func()]struct{} // to call at the end
}

// begin makes c a context that ends timeout after now, which is before the parent
// does. It was never used before.
func (c *cutoff) begin(parent context.Context, now time.Time, timeout time.Duration, w *watches) {
	c.parent, c.deadline = parent, now.Add(timeout)
	if timeout > watchAfter {
		c.watches = w
	}
}

// Deadline returns its own deadline.
func (c *cutoff) Deadline() (time.Time, bool) { return c.deadline, true }

// Value returns the parent's.
func (c *cutoff) Value(key any) any { return c.parent.Value(key) }

// Done returns a channel that is closed at the deadline, with the parent, or by end.
func (c *cutoff) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done != nil {
		return c.done
	}
	c.done = make(chan struct{})
	switch {
	case c.err != nil:
		close(c.done)
	case c.watches != nil:
		c.watches.add(c)
	default:
		c.watchLocked()
	}
	return c.done
}

// Err returns nil until the context has ended, and then why.
func (c *cutoff) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	return c.err
}

// AfterFunc calls f in a goroutine of its own when the context has ended. It is
// how package context joins a child without a goroutine that waits.
func (c *cutoff) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = map[*func()]struct{}{}
	}
	c.after[&f] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waits := c.after[&f]
		delete(c.after, &f)
		return waits
	}
}

// end cancels the context, whose attempt is over.
func (c *cutoff) end() { c.endAs(context.Canceled) }

func (c *cutoff) endAs(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended(err)
}

// ended is endAs for who holds c.mu. The first reason stays.
func (c *cutoff) ended(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	if c.unwatch != nil {
		c.unwatch()
	}
	for f := range c.after {
		go (*f)()
	}
	c.after = nil
}

// look notices an end that nobody has told of yet. c.mu is held.
func (c *cutoff) look() {
	if c.err != nil {
		return
	}
	if err := c.parent.Err(); err != nil {
		c.ended(err)
	} else if !time.Now().Before(c.deadline) {
		c.ended(context.DeadlineExceeded)
	}
}

// watch sees to it that the end is noticed when it comes.
func (c *cutoff) watch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.look(); c.err == nil {
		c.watchLocked()
	}
}

func (c *cutoff) watchLocked() {
	inner, cancel := context.WithDeadline(c.parent, c.deadline)
	stop := context.AfterFunc(inner, func() { c.endAs(inner.Err()) })
	c.unwatch = func() {
		stop()
		cancel()
	}
}
