package flood

import (
	"context"
	"errors"
	"fmt"
)

// Close flushes, and closes the next sink.
func (s *stage) Close(ctx context.Context) error {
	defer s.forget()
	return errors.Join(s.flush(ctx), s.next.Close(ctx))
}

// flush refuses later events, sends the open summaries, and waits for all that is
// under way.
func (s *stage) flush(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for g := range s.open {
		if sum := s.seal(g); sum != nil {
			go s.deliver(sum, g)
		}
	}
	if s.underWay == 0 {
		s.cancel()
		s.mu.Unlock()
		return nil
	}
	if s.drained == nil {
		s.drained = make(chan struct{})
	}
	drained := s.drained
	s.mu.Unlock()
	select {
	case <-drained:
		s.cancel()
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel()
	if s.underWay == 0 {
		return nil
	}
	return fmt.Errorf("closing flood: %d writes under way and the %d events collapsed in them stay unconfirmed: %w",
		s.underWay, len(s.waiting), ctx.Err())
}
