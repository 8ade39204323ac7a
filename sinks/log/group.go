package log

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// pipeChunk bounds the bytes of a group for a pipe or a terminal. Linux writes so many bytes
// to a pipe without those of another process in between (PIPE_BUF).
const pipeChunk = 4 << 10

// gatherer holds the group that gathers while the output is busy.
type gatherer struct {
	most    int         // bytes in a group; 0 for no groups
	crowded atomic.Bool // the last group had several writers
	all     chunk       // a buffer for the group that has the turn

	mu   sync.Mutex
	next *group // nil while nobody waits
}

// group holds the chunks of writers that came while the output was busy. They are written at
// once. The writer that began the group leads it: it waits for the turn and writes.
type group struct {
	from    *gatherer
	to      *lineWriter
	bytes   int
	written chan struct{} // closed when every chunk has its outcome

	chunks []*chunk // of one writer each, in the order in which they came; guarded by from.mu until taken
	taken  bool     // no chunk comes or leaves any more; guarded by from.mu
}

// write writes c: alone when the output is idle, and otherwise in a group.
func (o *lineOutput) write(ctx context.Context, c *chunk) (stored int, err error) {
	if o.groups.most == 0 || len(o.turn) == 0 && !o.groups.crowded.Load() {
		return o.inTurn(ctx, c)
	}
	g, leads := o.groups.join(c)
	if leads {
		o.lead(ctx, g)
	}
	select {
	case <-g.written:
		return c.outcome()
	case <-ctx.Done():
	}
	if g.leave(c) {
		c.free()
		return 0, fmt.Errorf("not written: %s is busy with an earlier line: %w", o.name, ctx.Err())
	}
	if o.mayBlock {
		select {
		case <-g.written:
		default:
			return 0, fmt.Errorf("%s blocks, %s: %w", o.name, lineUnknown, ctx.Err())
		}
	}
	<-g.written
	return c.outcome()
}

// join adds c to the group that gathers. When there is none with room, c begins one, and its
// writer leads it.
func (s *gatherer) join(c *chunk) (g *group, leads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.next; g != nil && g.bytes+len(c.text) <= s.most {
		g.chunks = append(g.chunks, c)
		g.bytes += len(c.text)
		return g, false
	}
	s.next = &group{from: s, to: c.to, chunks: []*chunk{c}, bytes: len(c.text), written: make(chan struct{})}
	return s.next, true
}

// leave takes c out of the group, unless the group is taken.
func (g *group) leave(c *chunk) bool {
	g.from.mu.Lock()
	defer g.from.mu.Unlock()
	if g.taken {
		return false
	}
	g.chunks = slices.DeleteFunc(g.chunks, func(other *chunk) bool { return other == c })
	g.bytes -= len(c.text)
	return true
}

// take ends the gathering of the group.
func (g *group) take() {
	g.from.mu.Lock()
	defer g.from.mu.Unlock()
	for had := 0; len(g.chunks) > had; {
		had = len(g.chunks)
		g.from.mu.Unlock()
		runtime.Gosched() // writers that the last group has woken join
		g.from.mu.Lock()
	}
	g.taken = true
	g.from.crowded.Store(len(g.chunks) > 1)
	if g.from.next == g {
		g.from.next = nil
	}
}

// lead writes g when it has the turn. When ctx ends first, the others are led on without the
// writer whose context it is.
func (o *lineOutput) lead(ctx context.Context, g *group) {
	write := func() { _, _ = o.perform(g) } // each chunk has its outcome
	err := o.takeTurn(ctx)
	switch {
	case errors.Is(err, errClosed):
		g.take()
		g.finish(0, err)
	case err != nil:
		go o.lead(context.Background(), g)
	case o.mayBlock && ctx.Done() != nil:
		go write()
	default:
		write()
	}
}

// run writes all chunks. Each gets its own outcome.
func (g *group) run() (stored int, err error) {
	g.take()
	all := g.together()
	stored, err = guarded(func() (int, error) { return g.to.write(all.text, all.ends) })
	g.finish(stored, err)
	return stored, err
}

// together returns a chunk with the lines of all chunks.
func (g *group) together() *chunk {
	if len(g.chunks) == 1 {
		return g.chunks[0]
	}
	all := &g.from.all
	all.text, all.ends = all.text[:0], all.ends[:0]
	for _, c := range g.chunks {
		all.add(c)
	}
	return all
}

// finish gives each chunk its outcome, when so many lines are stored and the one behind them
// failed with err.
func (g *group) finish(stored int, err error) {
	for _, c := range g.chunks {
		c.stored = min(stored, len(c.ends))
		stored -= c.stored
		if c.stored < len(c.ends) {
			c.err, err = err, behind(err)
		}
	}
	close(g.written)
}
