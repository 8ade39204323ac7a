package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/paddock-dev/audit/auditing"
)

// Gate is for a Driver that has to finish the writes under way before it is
// closed. The Driver embeds it, and so has its Close. The zero value is open.
//
//	func (d *file) Store(ctx context.Context, events []*driver.Event) []error {
//		if err := d.Enter(len(events)); err != nil {
//			return driver.All(len(events), err)
//		}
//		defer d.Leave(len(events))
//		...
type Gate struct {
	mu       sync.Mutex
	closed   bool
	closing  chan struct{} // made by Closing
	underWay int
	drained  chan struct{} // made by a Close that waits; closed by the last Leave
}

var errClosed = errors.New("the sink is closed")

// Enter counts n events as under way until Leave is called. After Close it fails with
// auditing.ClassClosed.
func (g *Gate) Enter(n int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return WithClass(auditing.ClassClosed, errClosed)
	}
	g.underWay += n
	return nil
}

// Leave ends an Enter of n events.
func (g *Gate) Leave(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay -= n
	if g.underWay == 0 && g.drained != nil {
		close(g.drained)
		g.drained = nil
	}
}

// Closing returns a channel that Close closes. A Driver that pauses between attempts
// waits for it as well.
func (g *Gate) Closing() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing == nil {
		g.closing = make(chan struct{})
		if g.closed {
			close(g.closing)
		}
	}
	return g.closing
}

// Close refuses later writes and waits for those under way until ctx ends. Its error
// says how many events stayed unconfirmed. Closing twice is harmless.
func (g *Gate) Close(ctx context.Context) error {
	g.mu.Lock()
	if !g.closed && g.closing != nil {
		close(g.closing)
	}
	g.closed = true
	if g.underWay > 0 && g.drained == nil {
		g.drained = make(chan struct{})
	}
	drained := g.drained
	g.mu.Unlock()
	if drained == nil {
		return nil
	}
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.underWay == 0 {
		return nil
	}
	return fmt.Errorf("the outcome of %d events under way is unknown: %w", g.underWay, ctx.Err())
}
