package flood

import (
	"context"
	"errors"
	"fmt"

	"github.com/paddock-dev/audit/auditing"
)

// Close refuses later writes, sends every open summary at once, waits for all
// that is under way until ctx ends, and closes the next sink. Its error says how
// many collapsed events and other writes stayed unconfirmed; the summaries among
// them are cancelled, and their writers return. Close may be called again.
func (s *Sink) Close(ctx context.Context) error {
	defer s.forget()
	return errors.Join(s.flush(ctx), auditing.Close(ctx, s.next))
}

func (s *Sink) flush(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for g := range s.open {
		if sum, members := s.seal(g); sum != nil {
			go s.deliver(sum, members)
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
