package multi

import (
	"context"
	"errors"
	"fmt"

	"github.com/paddock-dev/audit/auditing"
)

var errUnfinished = errors.New("it is still busy, and the outcome of its writes unknown")

// Close refuses later writes, and then closes every child, all at once: each as
// soon as the writes to it are done, stragglers included, or when ctx ends. Its
// error names the children that failed to close, and those that were not done
// when ctx ended; writes that outlived their Write are cancelled then. Close may
// be called again.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()

	type result struct {
		child int
		err   error
	}
	results := make(chan result, len(s.children))
	for i, c := range s.children {
		go func() { results <- result{i, c.close(ctx)} }()
	}
	errs := make([]error, len(s.children))
	for i, c := range s.children {
		errs[i] = fmt.Errorf("closing %s: %w", c.name, errUnfinished)
	}
	take := func(r result) {
		errs[r.child] = nil
		if r.err != nil {
			errs[r.child] = fmt.Errorf("closing %s: %w", s.children[r.child].name, r.err)
		}
	}
	for range s.children {
		select {
		case r := <-results:
			take(r)
		case <-ctx.Done():
			s.cancelStragglers()
			for range len(results) { // what was ready as well
				take(<-results)
			}
			return errors.Join(append(errs, ctx.Err())...)
		}
	}
	return errors.Join(errs...)
}

// close waits for the writes to c, and closes it at the latest when ctx ends:
// that may be what ends a write that hangs.
func (c *child) close(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	idle := make(chan struct{})
	go func() {
		c.active.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return auditing.Close(ctx, c.sink)
	case <-ctx.Done():
		return errors.Join(errUnfinished, auditing.Close(ctx, c.sink))
	}
}

func (s *Sink) cancelStragglers() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for f := range s.stragglers {
		f.cancel()
	}
}
