package spool

import "context"

// readAhead begins to read and decode the events of the next request, while this one is under
// way. It reads at most as many as a request can hold, and does not wait for later ones. It
// reads none when the destination has just refused some, so that no more than two requests
// are held. taken waits until it has ended and returns the events.
//
// Only a lone sender reads ahead. Of several, one decodes while another one sends, and an
// event that was read ahead would wait for its sender while another one is free.
func (s *sender) readAhead(ctx context.Context) (taken func() []*entry) {
	if s.opts.Parallel > 1 || !s.full || !s.clean {
		return func() []*entry { return nil }
	}
	done := make(chan []*entry, 1)
	go func() {
		var ahead []*entry
		for bytes := int64(0); len(ahead) < s.mostEvents && bytes < s.mostBytes; {
			record, err := s.log.Next(ctx, false)
			s.trouble(err)
			if record == nil {
				break
			}
			if e := s.decode(record); e != nil {
				ahead = append(ahead, e)
				bytes += e.Size()
			}
		}
		done <- ahead
	}()
	return func() []*entry { return <-done }
}
