package multi

import (
	"context"
	"errors"
	"fmt"
)

var (
	errUnfinished = errors.New("it is still busy, and the outcome of its writes unknown")
	errNoAnswer   = errors.New("it has not answered")
)

// Check asks all children at once. Its error names those that fail, whether or not
// the requirement can be met without them, and those without an answer when ctx ends.
func (s *stage) Check(ctx context.Context) error {
	return s.each(ctx, "checking", errNoAnswer, func(c *child) error { return c.next.Check(ctx) })
}

// Close refuses later writes, and then closes every child, all at once.
func (s *stage) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	defer func() {
		if ctx.Err() != nil {
			s.cancelStragglers()
		}
	}()
	return s.each(ctx, "closing", errUnfinished, func(c *child) error { return c.close(ctx) })
}

// each calls do for all children at once and joins what fails, named by child; a
// child that is not done when ctx ends fails with unfinished.
func (s *stage) each(ctx context.Context, what string, unfinished error, do func(*child) error) error {
	type result struct {
		child int
		err   error
	}
	results := make(chan result, len(s.children))
	errs := make([]error, len(s.children))
	for i, c := range s.children {
		errs[i] = unfinished
		go func() { results <- result{i, guarded(c, do)} }()
	}
	var ended error
	for range s.children {
		select {
		case r := <-results:
			errs[r.child] = r.err
			continue
		case <-ctx.Done():
			ended = ctx.Err()
		}
		for range len(results) { // what was ready as well
			r := <-results
			errs[r.child] = r.err
		}
		break
	}
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("%s %s: %w", what, s.children[i].name, err)
		}
	}
	return errors.Join(append(errs, ended)...)
}

func guarded(c *child, do func(*child) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return do(c)
}

// close waits for the writes to c, and closes it at the latest when ctx ends:
// that may be what ends a write that hangs.
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
		return errors.Join(errUnfinished, c.next.Close(ctx))
	}
}

func (s *stage) cancelStragglers() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for f := range s.stragglers {
		f.cancel()
	}
}
