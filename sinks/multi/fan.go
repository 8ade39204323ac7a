package multi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/hooks"
)

// fan is one call of Store, on its way to all children.
type fan struct {
	stage *stage
	// events is a copy of the caller's slice, because children may outlive Store. A
	// single event needs no allocation for it: the field one is the array.
	events []*driver.Event
	one    [1]*driver.Event

	cancel context.CancelFunc // of the children's context; nil when it is the caller's
	// settled receives a value when every event meets the requirement, or all children
	// are done.
	settled chan struct{}

	mu       sync.Mutex
	outcomes []outcome // by child
	pending  int       // children without an outcome
	told     bool      // settled was sent
	returned bool      // Store has decided: later failures go to OnFailure
	timer    *time.Timer
}

// outcome is the result of a child's Store.
type outcome struct {
	done bool
	errs []error
}

// of returns the outcome of event j.
func (o outcome) of(j int) error {
	if o.errs == nil {
		return nil
	}
	return o.errs[j]
}

// Store hands events to all children at once.
func (s *stage) Store(ctx context.Context, events []*driver.Event) []error {
	n := len(s.children)
	f := &fan{stage: s, settled: make(chan struct{}, 1), outcomes: make([]outcome, n), pending: n}
	f.events = append(f.one[:0], events...)
	if !s.enter() {
		return driver.All(len(events), driver.WithClass(auditing.ClassClosed, errClosed))
	}
	f.start(ctx)
	select {
	case <-f.settled:
	case <-ctx.Done():
	}
	return f.verdict(ctx)
}

// enter counts a write to every child, unless the stage is closed.
func (s *stage) enter() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return false
	}
	for _, c := range s.children {
		c.active.Add(1)
	}
	return true
}

// start starts the writes to all children.
func (f *fan) start(ctx context.Context) {
	s := f.stage
	own := ctx // the children's
	if s.require.need < len(s.children) {
		// Store may return before a child is done, and its caller then ends ctx. verdict
		// ends the children earlier if it has to.
		own, f.cancel = detach(ctx)
	}
	for i, c := range s.children {
		if c.stragglers.Load() >= int64(s.opts.MaxStragglers) {
			f.finish(own, i, driver.All(len(f.events), driver.WithClass(auditing.ClassFull, fmt.Errorf(
				"%d earlier writes are still under way although theirs was given up", s.opts.MaxStragglers))))
			continue
		}
		c.run(job{f, own, i})
	}
}

// detach returns a context with the deadline and the values of ctx and a
// cancellation of its own.
func detach(ctx context.Context) (context.Context, context.CancelFunc) {
	free := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(free, deadline)
	}
	return context.WithCancel(free)
}

var errNoReturn = errors.New("the sink ended the goroutine instead of returning")

// write writes to child i.
func (f *fan) write(ctx context.Context, i int) {
	var errs []error
	returned := false
	defer func() {
		if !returned {
			errs = driver.All(len(f.events), errNoReturn)
		}
		f.finish(ctx, i, errs)
	}()
	c := f.stage.children[i]
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	errs = c.next.Store(ctx, f.events)
	returned = true
}

// finish records how child i ended.
func (f *fan) finish(ctx context.Context, i int, errs []error) {
	c := f.stage.children[i]
	defer c.active.Done()

	f.mu.Lock()
	f.outcomes[i] = outcome{done: true, errs: errs}
	f.pending--
	late, last := f.returned, f.pending == 0
	if !f.told && (last || f.allMet()) {
		f.told = true
		f.settled <- struct{}{}
	}
	f.mu.Unlock()

	if !late {
		return
	}
	c.stragglers.Add(-int64(len(f.events)))
	for j, err := range errs {
		f.unreported(ctx, i, j, err)
	}
	if last {
		f.release()
	}
}

// allMet reports that every event meets the requirement. f.mu is held.
func (f *fan) allMet() bool {
	for j := range f.events {
		if !f.stage.require.met(f.outcomes, j) {
			return false
		}
	}
	return true
}

// verdict decides what Store returns, and whether children that are not done go on.
func (f *fan) verdict(ctx context.Context) []error {
	f.mu.Lock()
	f.returned = true
	outcomes, left := f.outcomes, f.pending
	if left > 0 {
		outcomes = slices.Clone(f.outcomes) // the other children still write theirs
	}
	var errs []error
	failed := 0
	for j := range f.events {
		if f.stage.require.met(outcomes, j) {
			continue
		}
		if errs == nil {
			errs = make([]error, len(f.events))
		}
		errs[j] = f.failure(ctx, outcomes, j)
		failed++
	}
	if left > 0 {
		for i, o := range outcomes {
			if !o.done {
				f.stage.children[i].stragglers.Add(int64(len(f.events)))
			}
		}
		f.leave(ctx, failed < len(f.events))
	}
	f.mu.Unlock()

	if left == 0 && f.cancel != nil {
		f.cancel()
	}
	for j := range f.events {
		if len(errs) > 0 && errs[j] != nil {
			continue // its error tells of every child
		}
		for i, o := range outcomes {
			f.unreported(ctx, i, j, o.of(j))
		}
	}
	return errs
}

// leave lets the children that are not done go on when an event was stored without
// them, and otherwise cancels them. f.mu is held.
func (f *fan) leave(ctx context.Context, stored bool) {
	if f.cancel == nil {
		return // the children have the caller's context, which has ended
	}
	if !stored {
		f.cancel()
		return
	}
	if _, bounded := ctx.Deadline(); !bounded {
		f.timer = time.AfterFunc(f.stage.opts.StragglerTimeout, f.cancel)
	}
	f.stage.mu.Lock()
	defer f.stage.mu.Unlock()
	f.stage.stragglers[f] = struct{}{}
	if f.stage.calm == nil {
		f.stage.calm = make(chan struct{})
	}
}

// release frees the timer and the context once the last straggler has ended.
func (f *fan) release() {
	f.mu.Lock()
	timer := f.timer
	f.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	if f.cancel != nil {
		f.cancel()
	}
	f.stage.mu.Lock()
	defer f.stage.mu.Unlock()
	delete(f.stage.stragglers, f)
	if len(f.stage.stragglers) == 0 && f.stage.calm != nil {
		close(f.stage.calm)
		f.stage.calm = nil
	}
}

// unreported hands a failure of child i with event j to the event's seal and to OnFailure;
// it does nothing when err is nil.
func (f *fan) unreported(ctx context.Context, i, j int, err error) {
	if err == nil {
		return
	}
	driver.Lacks(f.events[j], f.stage.children[i].name)
	if f.stage.opts.OnFailure == nil {
		return
	}
	class, after := driver.ClassOf(err)
	failed := &auditing.WriteError{
		Sink: f.stage.children[i].name, Event: f.events[j].Ref(), Component: f.events[j].Component(),
		Class: class, RetryAfter: after, Err: err,
	}
	_ = hooks.Call("Options.OnFailure of the fan-out", func() { f.stage.opts.OnFailure(ctx, f.events[j].Object(), failed) }) // it is logged
}
