package multi

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/paddock-dev/audit/driver"
)

// Check asks all children at once. Its error names those that fail, whether or not
// the requirement can be met without them, and those without an answer when ctx ends.
func (s *stage) Check(ctx context.Context) error {
	return s.each(ctx, "checking", func(c *child) error { return c.next.Check(ctx) })
}

// Drain waits until no child writes that outlived its Store, and drains all children at once.
func (s *stage) Drain(ctx context.Context) error {
	s.mu.RLock()
	calm := s.calm
	s.mu.RUnlock()
	if calm != nil {
		select {
		case <-calm:
		case <-ctx.Done():
		}
	}
	return s.each(ctx, "draining", func(c *child) error { return driver.Drain(ctx, c.next) })
}

// Close refuses later writes, and then closes every child, all at once.
func (s *stage) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.each(ctx, "closing", func(c *child) error { return c.close(ctx) })
	if ctx.Err() != nil {
		s.mu.RLock()
		defer s.mu.RUnlock()
		for f := range s.stragglers {
			f.cancel()
		}
	}
	return err
}

// each calls do for all children at once and joins what fails, named by child. It
// waits no longer than ctx lasts.
func (s *stage) each(ctx context.Context, what string, do func(*child) error) error {
	errs := make([]error, len(s.children))
	var all sync.WaitGroup
	for i, c := range s.children {
		all.Go(func() {
			if err := driver.Await(ctx, func() error { return do(c) }); err != nil {
				errs[i] = fmt.Errorf("%s %s: %w", what, c.name, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// close waits for the writes to c and closes it, at the latest when ctx ends: closing
// may end a write that hangs.
func (c *child) close(ctx context.Context) error {
	idle := make(chan struct{})
	go func() {
		c.active.Wait()
		c.closeJobs.Do(func() { close(c.jobs) })
		close(idle)
	}()
	select {
	case <-idle:
		return c.next.Close(ctx)
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("writes to it are still under way, so their outcome is unknown: %w", ctx.Err()), c.next.Close(ctx))
	}
}
