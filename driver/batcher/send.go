package batcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

var (
	errOpen     = errors.New("no outcome yet")
	errNoReturn = errors.New("the sink ended its goroutine instead of returning, so the outcome is unknown")
)

// again is an outcome that Again has marked.
type again struct{ error }

func (a again) Unwrap() error { return a.error }

// Again marks the outcome of an item that the answer to its request does not tell: the request was
// too large, or one of its items was bad and the answer does not say which. All items
// that are marked so are sent again: together, when they are fewer than were sent, and
// otherwise in halves. An item that was alone in its request is not sent again: err is its
// outcome. When such a request fails for now, all items that are still to be sent fail with its
// error. Again returns nil when err is nil.
func Again(err error) error {
	if err == nil {
		return nil
	}
	return again{err}
}

// part is a group of items of a batch that are sent in one request.
type part[T any] struct {
	items []T
	slots []int // of items; nil when each has the slot of its index
}

func (pt *part[T]) slot(i int) int {
	if pt.slots == nil {
		return i
	}
	return pt.slots[i]
}

// take appends item i of from to pt.
func (pt *part[T]) take(from *part[T], i int) {
	pt.items = append(pt.items, from.items[i])
	pt.slots = append(pt.slots, from.slot(i))
}

// deliver sends p until each of its items has an outcome. It reports whether a request has
// failed and may succeed later.
func (q *Queue[T]) deliver(ctx context.Context, p *batch[T]) (failed bool) {
	for parts := []part[T]{q.whole(p)}; len(parts) > 0; {
		if ctx.Err() != nil {
			q.giveUp(p, parts, q.ended(ctx, p))
			return false
		}
		rest, cause := q.decide(p, &parts[0], q.call(ctx, parts[0].items))
		parts = append(rest, parts[1:]...)
		if cause != nil { // the server is not asked as many times as there are parts
			q.giveUp(p, parts, cause)
			return true
		}
	}
	return false
}

// ended returns the outcome of the items of p that are not sent because ctx has ended.
func (q *Queue[T]) ended(ctx context.Context, p *batch[T]) error {
	known := notSent
	if p.splitting { // the server may have stored what it was sent before
		known = unclear
	}
	return q.closing(fmt.Errorf("%s: %w", known, context.Cause(ctx)))
}

// closing marks err when Close has ended the requests.
func (q *Queue[T]) closing(err error) error {
	if q.batcher.life.Err() == nil {
		return err
	}
	return driver.WithClass(auditing.ClassClosed, err)
}

// giveUp settles all items of parts.
func (q *Queue[T]) giveUp(p *batch[T], parts []part[T], outcome error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, pt := range parts {
		for i := range pt.items {
			q.settle(p, pt.slot(i), outcome)
		}
	}
}

// whole returns the items of p whose writers still wait, in the order in which they are sent.
func (q *Queue[T]) whole(p *batch[T]) part[T] {
	all := part[T]{items: p.values}
	q.mu.Lock()
	if p.outcomes != nil {
		var waiting part[T]
		for slot, outcome := range p.outcomes {
			if outcome == errOpen { //nolint:errorlint // it is never wrapped
				waiting.take(&all, slot)
			}
		}
		all = waiting
	}
	q.mu.Unlock()
	compare := q.batcher.opts.Compare
	if compare == nil || slices.IsSortedFunc(all.items, compare) {
		return all
	}
	order := make([]int, len(all.items))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return compare(all.items[i], all.items[j]) })
	var sorted part[T]
	for _, i := range order {
		sorted.take(&all, i)
	}
	return sorted
}

// call calls send, and returns the outcome of each item, or nil when all are stored.
func (q *Queue[T]) call(ctx context.Context, items []T) (errs []error) {
	defer func() {
		if r := recover(); r != nil {
			err, ok := r.(error)
			if !ok {
				err = fmt.Errorf("%v", r)
			}
			errs = driver.All(len(items), driver.Permanent(fmt.Errorf("panic: %w", err)))
		}
	}()
	if errs = q.send(ctx, items); errs != nil && len(errs) != len(items) {
		errs = driver.All(len(items), fmt.Errorf("the sink is broken: it gave %d outcomes for %d events, so what became of them is unknown",
			len(errs), len(items)))
	}
	return errs
}

// decide settles the items of a request. It returns those that are to be sent again, in
// parts, and the first error of an item that may succeed later.
func (q *Queue[T]) decide(p *batch[T], sent *part[T], errs []error) (rest []part[T], cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if errs == nil && p.outcomes == nil && !p.splitting { // all are stored at the first attempt, and no writer has left
		q.waiting -= p.waiting
		p.waiting, p.over = 0, true
		return nil, nil
	}
	var open part[T]
	for i := range sent.items {
		var err error
		if errs != nil {
			err = errs[i]
		}
		if _, marked := errors.AsType[again](err); marked && len(sent.items) > 1 {
			open.take(sent, i)
			continue
		}
		if mayMend(err) {
			err = q.closing(err)
			cause = cmp.Or(cause, err)
		}
		q.settle(p, sent.slot(i), err)
	}
	n := len(open.items)
	if n == 0 {
		return nil, cause
	}
	if !p.splitting {
		p.splitting = true
		q.splitting++
	}
	if n < len(sent.items) {
		return []part[T]{open}, cause
	}
	half := n / 2
	return []part[T]{{open.items[:half], open.slots[:half]}, {open.items[half:], open.slots[half:]}}, cause
}

// mayMend reports whether the item of a failed outcome may be stored later.
func mayMend(err error) bool {
	if err == nil {
		return false
	}
	class, _ := driver.ClassOf(err)
	return !driver.Final(class)
}
