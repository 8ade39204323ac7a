package multi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// fan is one event on its way to all children.
type fan struct {
	sink *Sink
	// namespace and name of the event, for OnFailure.
	namespace, name string

	cancel context.CancelFunc
	// settled receives once: the requirement is met, or all children are done.
	settled chan struct{}

	mu        sync.Mutex
	outcomes  []outcome
	pending   int  // children without an outcome
	succeeded int  // of those that count
	told      bool // settled was sent
	returned  bool // Write has its verdict: what fails from here on is OnFailure's
	timer     *time.Timer
}

type outcome struct {
	done bool
	err  error
}

func (s *Sink) fanOut(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	f, err := s.start(ctx, ae)
	if err != nil {
		return err
	}
	select {
	case <-f.settled:
	case <-ctx.Done():
	}
	return f.verdict(ctx)
}

// start sets all children off.
func (s *Sink) start(ctx context.Context, ae *v1alpha1.AuditEvent) (*fan, error) {
	n := len(s.children)
	f := &fan{
		sink:      s,
		namespace: ae.Namespace,
		name:      ae.Name,
		settled:   make(chan struct{}, 1),
		outcomes:  make([]outcome, n),
		pending:   n,
	}
	own := ctx // the children's
	if s.require.need < n {
		// Write may return while a child is still at it, and its caller then ends
		// ctx. What has to end the children before that is verdict's to do.
		own, f.cancel = detach(ctx)
	}
	if err := s.enter(); err != nil {
		if f.cancel != nil {
			f.cancel()
		}
		return nil, err
	}
	for i, c := range s.children {
		if c.stragglers.Load() >= int64(s.opts.MaxStragglers) {
			f.finish(i, auditing.WithClass(auditing.ClassFull, fmt.Errorf(
				"%d earlier writes are still under way although theirs was given up", s.opts.MaxStragglers)))
			continue
		}
		event := ae
		if !c.readsOnly {
			event = ae.DeepCopy()
		}
		go f.write(own, i, event)
	}
	return f, nil
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

// enter counts a write to every child, unless the sink is closed.
func (s *Sink) enter() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return auditing.WithClass(auditing.ClassClosed, errClosed)
	}
	for _, c := range s.children {
		c.active.Add(1)
	}
	return nil
}

var errNoReturn = errors.New("the sink ended the goroutine instead of returning")

// write writes to child i. The event is its own, or one that others are reading.
func (f *fan) write(ctx context.Context, i int, ae *v1alpha1.AuditEvent) {
	growStack()
	err := errNoReturn
	defer func() {
		if r := recover(); r != nil {
			err = auditing.Permanent(fmt.Errorf("panic: %v", r))
		}
		f.finish(i, err)
	}()
	c := f.sink.children[i]
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	err = c.sink.Write(ctx, ae)
}

// growStack makes room on the stack of a new goroutine while there is little on it
// to move. Goroutines begin with 2 KiB; to grow in the depths of a sink, twice,
// takes as long as writing a whole line to a log.
//
//go:noinline
func growStack() {
	var room [6 << 10]byte
	touch(&room)
}

//go:noinline
func touch(*[6 << 10]byte) {}

// finish records how child i ended.
func (f *fan) finish(i int, err error) {
	c := f.sink.children[i]
	defer c.active.Done()

	f.mu.Lock()
	f.outcomes[i] = outcome{done: true, err: err}
	f.pending--
	if err == nil && f.sink.require.counts[i] {
		f.succeeded++
	}
	late, last := f.returned, f.pending == 0
	if !f.told && (last || f.met()) {
		f.told = true
		f.settled <- struct{}{}
	}
	f.mu.Unlock()

	if late {
		c.stragglers.Add(-1)
		if err != nil {
			f.unreported(i, err)
		}
	}
	if late && last {
		f.release()
	}
}

// met reports that the requirement is met. f.mu is held.
func (f *fan) met() bool { return f.succeeded >= f.sink.require.need }

// verdict decides what Write returns, and what becomes of children still at it.
func (f *fan) verdict(ctx context.Context) error {
	f.mu.Lock()
	f.returned = true
	ok, left := f.met(), f.pending
	outcomes := f.outcomes
	if left > 0 {
		outcomes = append([]outcome(nil), f.outcomes...) // the rest is still to come
		for i, o := range outcomes {
			if !o.done {
				f.sink.children[i].stragglers.Add(1)
			}
		}
		f.leave(ctx, ok)
	}
	f.mu.Unlock()

	if left == 0 && f.cancel != nil {
		f.cancel()
	}
	if !ok {
		return f.failure(ctx, outcomes)
	}
	for i, o := range outcomes {
		if o.err != nil {
			f.unreported(i, o.err)
		}
	}
	return nil
}

// leave lets the children that are still at it go on without a caller, or tells
// them to stop when the caller did. f.mu is held.
func (f *fan) leave(ctx context.Context, ok bool) {
	if f.cancel == nil {
		return // they have the caller's context, which has ended
	}
	if !ok {
		f.cancel()
		return
	}
	if _, bounded := ctx.Deadline(); !bounded {
		f.timer = time.AfterFunc(f.sink.opts.StragglerTimeout, f.cancel)
	}
	f.sink.mu.Lock()
	defer f.sink.mu.Unlock()
	f.sink.stragglers[f] = struct{}{}
}

// release frees what the stragglers held, once the last has ended.
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
	f.sink.mu.Lock()
	defer f.sink.mu.Unlock()
	delete(f.sink.stragglers, f)
}

// unreported hands a failure to OnFailure. A panic of that must not end the
// program when it comes on a goroutine of this package's.
func (f *fan) unreported(i int, err error) {
	if f.sink.opts.OnFailure == nil {
		return
	}
	defer func() { _ = recover() }()
	event := f.name
	if f.namespace != "" {
		event = f.namespace + "/" + event
	}
	f.sink.opts.OnFailure(f.sink.children[i].name, event, err)
}
