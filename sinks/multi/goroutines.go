package multi

import "context"

// maxIdle is how many goroutines of a child wait for the next write. Their stacks
// have grown to what the child needs: a new goroutine begins with 2 KiB and grows in
// the depths of the child, which takes about as long as writing a line to a log.
const maxIdle = 2

// job is the write of a fan to its child i.
type job struct {
	fan *fan
	ctx context.Context //nolint:containedctx // handed to a goroutine
	i   int
}

// run does j on an idle goroutine, or on a new one when all are busy: a write that
// hangs must not hold up the next.
func (c *child) run(j job) {
	select {
	case c.jobs <- j:
	default:
		go c.work(j)
	}
}

// work does j, and then further jobs until there are enough idle goroutines without
// this one, or the child is closed.
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
