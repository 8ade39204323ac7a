package seal

import "time"

// SetClock sets the clock of a component.
func (o *Options) SetClock(clock func() time.Time) { o.clock = clock }

// Key returns the private key of the trail that takes new events: the bytes themselves, and no copy.
func (s *Sink) Key() []byte {
	s.stage.mu.Lock()
	defer s.stage.mu.Unlock()
	return s.stage.now.signer.private
}
