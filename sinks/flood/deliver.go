package flood

import (
	"context"
	"errors"
	"fmt"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// maxFailed bounds the failed summaries that are kept to be sent again.
const maxFailed = 1024

var errNoReturn = errors.New("the sink ended the goroutine instead of returning")

// summary is what a group of events goes as.
type summary struct {
	event *v1alpha1.AuditEvent // nil once it is stored or forgotten
	count int                  // of events, not of the decisions they stand for
	// lone says that event is the only event of the group, as itself: the
	// destination knows it again under its own name.
	lone      bool
	attempt   *attempt // under way; nil for none
	stored    bool
	kept      bool // in Sink.failed
	forgotten bool // it failed, and will not be sent again
}

// begin counts off an attempt to write sum. s.mu is held.
func (s *Sink) begin(sum *summary, a *attempt) {
	sum.attempt = a
	s.underWay++
}

// deliver writes sum once and tells everybody who waits for it. members are
// those of the first attempt.
func (s *Sink) deliver(sum *summary, members []*member) {
	ae := sum.event // nobody else touches it while the attempt is under way
	err := errNoReturn
	defer func() { s.settle(sum, members, describe(sum, ae, err)) }()
	ctx, cancel := context.WithTimeout(s.background, s.opts.Timeout)
	defer cancel()
	err = auditing.Deliver(ctx, auditing.Target{Sink: summaryName, Stage: true}, ae, s.next.Write)
}

// describe says in which summary an event failed.
func describe(sum *summary, ae *v1alpha1.AuditEvent, err error) error {
	var failed *auditing.WriteError
	if errors.As(err, &failed) {
		err = failed.Err // what failed behind this stage
	}
	if err == nil || sum.lone {
		return err
	}
	return fmt.Errorf("as one of %d events in the summary %s: %w", sum.count, ae.Name, err)
}

// settle ends an attempt with its outcome.
func (s *Sink) settle(sum *summary, members []*member, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	remembered := sum
	if sum.lone {
		remembered = nil
	}
	for _, m := range members {
		s.leaves(m)
		s.memory.put(m.id, remembered)
	}
	a := sum.attempt
	sum.attempt = nil
	switch {
	case err == nil:
		sum.stored, sum.event = true, nil
		if !sum.lone {
			s.metrics.summaries.Inc()
			s.metrics.collapsed.Add(float64(sum.count))
		}
	case !sum.lone:
		s.metrics.failures.Inc()
		s.keep(sum)
	}
	a.err = err
	close(a.done)
	s.left()
}

// keep keeps a failed summary to be sent again, and forgets the oldest when there
// are too many: its events are new ones when they are written again, for to count
// twice is better than not at all.
func (s *Sink) keep(sum *summary) {
	if sum.kept {
		return
	}
	sum.kept = true
	s.failed = append(s.failed, sum)
	if len(s.failed) <= maxFailed {
		return
	}
	oldest := s.failed[0]
	s.failed[0] = nil
	s.failed = s.failed[1:]
	oldest.kept = false
	if !oldest.stored && oldest.attempt == nil {
		oldest.forgotten, oldest.event = true, nil
	}
}
