package reading

import (
	"context"
	"iter"
	"runtime"
)

// maxWorkers bounds the processors that judge lines, and with them the memory of blocks.
const maxWorkers = 4

// block is a step through the files of a source: lines of a file, its error, or nothing.
type block struct {
	in *input
	// lines are those that were read. unfinished says that the last one has no end.
	lines      []byte
	unfinished bool
	// skipped says that a line that was too long stands before them.
	skipped bool
	// err is why no more of the file can be read now.
	err error
	// paused says that everything that is there was read.
	paused bool

	found  found         // set before judged is closed
	judged chan struct{} // nil when there are no lines
	buf    []byte        // nil when it came with none
}

// feed takes blocks from the one goroutine that reads, in their order.
type feed struct {
	ctx context.Context
	// free has a buffer for each block that may be under way.
	free  chan []byte
	work  chan *block
	order chan *block
}

// scanned yields the blocks that produce sends, in order and judged. All processors judge
// lines while produce reads. Leaving the loop, or the end of ctx, ends the context of the feed.
func scanned(ctx context.Context, j *judge, produce func(*feed)) iter.Seq2[*block, error] {
	return func(yield func(*block, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		workers := min(runtime.GOMAXPROCS(0), maxWorkers)
		f := newFeed(ctx, 2*workers)
		for range workers {
			go func() {
				for b := range f.work {
					b.found = j.lines(b.lines, b.unfinished)
					close(b.judged)
				}
			}()
		}
		go func() {
			produce(f)
			close(f.work)
			close(f.order)
		}()
		for {
			b, err := f.receive()
			if b == nil && err == nil {
				return
			}
			if !yield(b, err) || err != nil {
				return
			}
			if b.buf != nil {
				f.free <- b.buf
			}
		}
	}
}

func newFeed(ctx context.Context, blocks int) *feed {
	f := &feed{ctx: ctx, free: make(chan []byte, blocks), work: make(chan *block), order: make(chan *block, blocks)}
	for range blocks {
		f.free <- make([]byte, 0, blockSize)
	}
	return f
}

// receive returns the next block once it is judged; nil when produce has ended.
func (f *feed) receive() (*block, error) {
	select {
	case b, open := <-f.order:
		if !open {
			return nil, f.ctx.Err()
		}
		if b.judged != nil {
			select {
			case <-b.judged:
			case <-f.ctx.Done():
				return nil, f.ctx.Err()
			}
		}
		return b, nil
	case <-f.ctx.Done():
		return nil, f.ctx.Err()
	}
}

// buffer waits for a buffer. It returns nil when the context has ended.
func (f *feed) buffer() []byte {
	select {
	case buf := <-f.free:
		return buf
	case <-f.ctx.Done():
		return nil
	}
}

// send hands on a block. It reports false when the context has ended.
func (f *feed) send(b *block) bool {
	if len(b.lines) > 0 {
		b.judged = make(chan struct{})
	}
	large := len(b.lines) > 2*blockSize
	if large && !f.alone(cap(f.free)-1) {
		return false
	}
	select {
	case f.order <- b:
	case <-f.ctx.Done():
		return false
	}
	if b.judged != nil {
		select {
		case f.work <- b:
		case <-f.ctx.Done():
			return false
		}
	}
	return !large || f.alone(cap(f.free))
}

// alone waits until n buffers are free: nothing else is under way. Blocks that are large
// take their turns one by one, as they take much memory.
func (f *feed) alone(n int) bool {
	taken := make([][]byte, 0, n)
	for range n {
		buf := f.buffer()
		if buf == nil {
			return false
		}
		taken = append(taken, buf)
	}
	for _, buf := range taken {
		f.free <- buf
	}
	return true
}

// read sends what can be read of in now, from where c is. It returns the error that ended
// that; nil when the context has ended.
func (f *feed) read(in *input, c *cutter) error {
	for {
		buf := f.buffer()
		if buf == nil {
			return nil
		}
		lines, skipped, err := c.next(in, buf)
		if len(lines) == 0 && !skipped {
			f.free <- buf
		} else if !f.send(&block{in: in, lines: lines, skipped: skipped, buf: buf}) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// end sends what is left of a file that no more is read of.
func (f *feed) end(in *input, c *cutter) bool {
	rest := c.rest
	c.rest = nil
	return f.send(&block{in: in, lines: rest, skipped: c.long, unfinished: true})
}
