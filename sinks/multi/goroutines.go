package multi

import "context"

// maxIdle bounds the idle goroutines of a child, which wait for the next write. A new
// goroutine starts with a stack of 2 KiB and has to grow it inside the child, which
// takes about as long as writing a line to a log.
const maxIdle = 2

// job is the write of a fan to its child i.
type job struct {
	fan *fan
	ctx context.Context //nolint:containedctx // handed to a goroutine
	i   int
}

// run runs j on an idle goroutine, or on a new one when all are busy, so that a write
// that hangs does not hold up the next.
func (c *child) run(j job) {
	select {
	case c.jobs <- j:
	default:
		go c.work(j)
	}
}

// work runs j and then further jobs, until there are maxIdle other idle goroutines or
// the child is closed.
func (c *child) work(j job) {
	for open := true; open; {
		j.fan.write(j.ctx, j.i)
		j = job{} // an idle goroutine holds no events
		if c.idle.Add(1) > maxIdle {
			c.idle.Add(-1)
			return
		}
		j, open = <-c.jobs
		c.idle.Add(-1)
	}
}
