package flood

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// maxFailed bounds the failed summaries that are kept to be sent again.
const maxFailed = 1024

var errNoReturn = errors.New("the sink ended the goroutine instead of returning")

// summary is the write of a sealed group.
type summary struct {
	event *driver.Event // nil until it is made, and once it is stored or forgotten
	// count of events, not of the decisions they stand for. An only event goes unchanged,
	// and the destination recognises it by its name.
	count     int
	attempt   *attempt // under way; nil for none
	stored    bool
	forgotten bool // it failed, and will not be sent again
}

// begin begins an attempt to write sum. s.mu is held.
func (s *stage) begin(sum *summary, a *attempt) {
	sum.attempt = a
	s.underWay++
}

// deliver writes sum once and gives the outcome to all who wait for it. In the first
// attempt g is the group that sum is made of; later it is nil.
func (s *stage) deliver(sum *summary, g *group) {
	err := errNoReturn
	defer func() { s.settle(sum, g, describe(sum, err)) }()
	ctx, cancel := context.WithTimeout(s.background, s.opts.Timeout)
	defer cancel()
	err = s.write(ctx, sum, g)
}

// write makes the event of sum, when there is none yet, and stores it. No other
// goroutine reads the event while an attempt is under way.
func (s *stage) write(ctx context.Context, sum *summary, g *group) (err error) {
	if sum.event == nil {
		if sum.event, err = s.summarise(g); err != nil {
			return fmt.Errorf("making the summary of %d events: %w", sum.count, err)
		}
	}
	if errs := s.summaries.Store(ctx, []*driver.Event{sum.event}); errs != nil {
		return errs[0]
	}
	return nil
}

// describe names the summary in which an event failed.
func describe(sum *summary, err error) error {
	var failed *auditing.WriteError
	if errors.As(err, &failed) {
		err = failed.Err // the error from behind this stage
	}
	if err == nil || sum.count == 1 || sum.event == nil {
		return err
	}
	return fmt.Errorf("as one of %d events in the summary %s: %w", sum.count, sum.event.Name(), err)
}

// settle ends an attempt with its outcome.
func (s *stage) settle(sum *summary, g *group, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g != nil {
		remembered := sum
		if sum.count == 1 {
			remembered = nil
		}
		for _, m := range g.members {
			s.leaves(m)
			s.memory.put(m.id, remembered)
		}
	}
	a := sum.attempt
	sum.attempt = nil
	switch {
	case err == nil:
		sum.stored, sum.event = true, nil
		if sum.count > 1 {
			s.metrics.summaries.Inc()
			s.metrics.collapsed.Add(float64(sum.count))
		}
	case sum.count > 1:
		s.metrics.failures.Inc()
		s.keep(sum)
	}
	a.err = err
	close(a.done)
	s.left(1)
}

// keep keeps a failed summary to be sent again, and forgets the oldest when there are
// too many. Its events count as new when they are written again: to count them twice
// is better than not at all.
func (s *stage) keep(sum *summary) {
	if sum.event == nil { // making it failed
		sum.forgotten = true
	}
	if sum.forgotten || slices.Contains(s.failed, sum) {
		return
	}
	s.failed = append(s.failed, sum)
	if len(s.failed) <= maxFailed {
		return
	}
	oldest := s.failed[0]
	s.failed = slices.Delete(s.failed, 0, 1)
	if !oldest.stored && oldest.attempt == nil {
		oldest.forgotten, oldest.event = true, nil
	}
}
