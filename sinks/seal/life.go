package seal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/trail"
)

// life is one trail. The stage's mutex guards the fields that change. The last ones belong to
// the goroutine that makes the checkpoints, and need no lock.
type life struct {
	stage  *stage
	id     string
	origin string
	key    string // public
	opened time.Time

	wake chan struct{} // something is to be done
	done chan struct{} // closed by the goroutine when it ends
	quit context.CancelFunc

	certifier *certifier // nil without an Authority

	marks   marks          // of every leaf
	names   recentNames    // of events
	covered int64          // leaves that a stored checkpoint covers
	before  trail.Frontier // of those, and of what was folded
	leaves  []trail.Hash   // the others
	own     int64          // a checkpoint's index while its leaf is not known; otherwise -1
	span    span           // of the events since the last stored checkpoint
	waits   bool           // a leaf or a loss came since the last attempt
	told    int64          // outcomes up to here are in a checkpoint that is stored, or on its way
	seen    int64          // leaves at the last attempt
	later   trail.Ranges   // stored after they were told otherwise
	lost    map[loss]trail.Ranges
	open    int           // events under way
	ending  bool          // no new event comes
	asked   bool          // somebody waits for a checkpoint
	moved   chan struct{} // closed, and made again, when covered has grown
	err     error         // of the last attempt

	// Of the goroutine alone.
	signer   *signer
	head     trail.SignedHead    // of the last stored checkpoint
	recorded map[string]recorded // by the keys of other trails
	posted   int64               // size of the head that the board has, or was to get
	postedAt time.Time
	postings sync.WaitGroup // under way
}

// loss is a trail, and a place that lacks events of it.
type loss struct{ trail, place string }

// span is a span of time; empty when it is zero.
type span struct{ first, last time.Time }

func (s *span) add(at time.Time) {
	if s.first.IsZero() || at.Before(s.first) {
		s.first = at
	}
	if at.After(s.last) {
		s.last = at
	}
}

// add gives the leaf of an event that is under way the next index.
func (l *life) add(leaf trail.Hash, at time.Time) int64 {
	index := l.append(leaf)
	l.open++
	l.span.add(at)
	if len(l.leaves) == l.stage.opts.Leaves {
		l.nudge()
	}
	l.work()
	return index
}

// append adds a leaf. Too many that no checkpoint has taken are folded into the hashes of
// subtrees, as the next checkpoint shows.
func (l *life) append(leaf trail.Hash) int64 {
	index := l.marks.add(leaf)
	l.leaves = append(l.leaves, leaf)
	l.stage.metrics.uncovered.Inc()
	if len(l.leaves) > trail.MaxLeaves && l.own != l.before.Size() {
		l.before.Add(l.leaves[0])
		l.leaves = l.leaves[1:]
		l.stage.metrics.folded.Inc()
	}
	return index
}

// work starts the time until the next checkpoint.
func (l *life) work() {
	if !l.waits {
		l.waits = true
		l.nudge()
	}
}

// again reports whether the event of an index has this leaf. It is under way once more then.
func (l *life) again(index int64, leaf trail.Hash) bool {
	if index >= l.marks.size || !l.marks.is(index, leaf) {
		return false
	}
	l.open++
	return true
}

// outcomeOf says whether an error leaves open that the event is stored.
func outcomeOf(err error) outcome {
	switch class, _ := driver.ClassOf(err); class {
	case auditing.ClassInvalid, auditing.ClassPermanent, auditing.ClassFull, auditing.ClassClosed:
		return failed
	}
	return unclear
}

// settle notes the outcome of an event under way. That it is stored is the last word.
func (l *life) settle(index int64, to outcome) {
	l.open--
	if l.marks.outcome(index) != stored {
		l.marks.set(index, to)
		if to == stored && index < l.told {
			l.later.Add(index)
			l.work()
		}
	}
	if l.ending && l.open == 0 {
		l.nudge()
	}
}

// maxLosses bounds the places that lack events, and the ranges of each, that wait for a checkpoint.
const maxLosses = 1000

// lacks notes that a place will never hold an event.
func (l *life) lacks(seal trail.Seal, place string) {
	key := loss{seal.Trail, strings.ToValidUTF8(strings.ReplaceAll(place, "\n", " "), "?")}
	ranges, known := l.lost[key]
	if ranges.Add(seal.Index); !known && len(l.lost) >= maxLosses || len(ranges) > maxLosses {
		l.stage.metrics.undeclared.Inc()
		return
	}
	l.lost[key] = ranges
	l.work()
}

// nudge wakes the goroutine that makes the checkpoints.
func (l *life) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// end says that no new event comes. The trail is closed once none is under way.
func (l *life) end() {
	l.ending = true
	l.nudge()
}

func (l *life) closed() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// wait waits until a stored checkpoint covers what the trail has now.
func (l *life) wait(ctx context.Context) error {
	s := l.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	for size := l.marks.size; l.covered < size; {
		if l.closed() {
			return l.uncovered(errors.New("the trail was given up"))
		}
		l.asked = true
		l.nudge()
		moved := l.moved
		s.mu.Unlock()
		var err error
		select {
		case <-moved:
		case <-l.done:
		case <-ctx.Done():
			err = ctx.Err()
		}
		s.mu.Lock()
		if err != nil && l.covered < size {
			return l.uncovered(err)
		}
	}
	return nil
}

// uncovered is the error of leaves that stay without a checkpoint. s.mu is held.
func (l *life) uncovered(cause error) error {
	err := fmt.Errorf("no stored checkpoint covers the last %d leaves of trail %s: %w", l.marks.size-l.covered, l.id, cause)
	if l.err != nil {
		err = fmt.Errorf("%w; the last attempt: %w", err, l.err)
	}
	return err
}

// finish waits until the trail is closed. When ctx ends first, it is given up.
func (l *life) finish(ctx context.Context) error {
	select {
	case <-l.done:
	case <-ctx.Done():
	}
	l.quit()
	<-l.done
	l.stage.mu.Lock()
	defer l.stage.mu.Unlock()
	if l.covered == l.marks.size {
		return nil
	}
	cause := ctx.Err()
	if cause == nil {
		cause = errors.New("it was given up")
	}
	return l.uncovered(cause)
}
