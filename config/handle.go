package config

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// driverName stands in errors and metrics for the trail's own part of a chain.
const driverName = "trail"

// handle is what a program gets from a trail: the sink of a component, or a sink by its
// own name. Each event goes to the current generation.
type handle struct {
	trail     *Trail
	component string // "" for a sink by its own name: events keep theirs
	sink      string // "" for that of a component

	last atomic.Pointer[route] // in the generation of the last write
}

var _ driver.Literal = &handle{}

// route is a handle in one generation. It is the Driver behind Write of the handle.
type route struct {
	*handle
	generation *generation
	opened     *opened
	err        error // why there is no opened
	info       driver.Info
	// door is this route under the rules of the component. A sink by its own name has
	// none: it fails closed, and has no timeout.
	door   auditing.Sink
	behind driver.Driver // behind the door
}

// in returns the route of the handle in g.
func (h *handle) in(g *generation) *route {
	if last := h.last.Load(); last != nil && last.generation == g {
		return last
	}
	r := &route{handle: h, generation: g}
	var rules auditing.Rules
	if h.sink != "" {
		if r.opened = g.sinks[h.sink]; r.opened == nil {
			r.err = g.notOpen(h.sink)
		}
	} else if c, known := g.file.component(h.component); known {
		rules, r.opened = c.rules(h.trail.deps.OnFailure), g.sinks[string(c.Sink)]
	} else {
		r.err = unknownComponent(g.file, h.component)
	}
	if r.opened == nil {
		r.info.Chain = "unknown(" + h.component + h.sink + ")"
	} else {
		r.info = r.opened.driver.Info()
	}
	r.info.Name = driverName
	if h.sink == "" {
		r.info.Component = h.component
	}
	r.door = auditing.WithRules(driver.New(r), rules)
	r.behind = driver.Of(r.door)
	h.last.Store(r)
	return r
}

func (h *handle) now() *route { return h.in(h.trail.current.Load()) }

// Write writes ae to the chain, with the timeout, the detachment and the answer to
// failures that the file says.
func (h *handle) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return h.now().door.Write(ctx, ae)
}

// Check asks the destinations behind the handle whether they are there.
func (h *handle) Check(ctx context.Context) error {
	return h.ask(ctx, func(r *route) error { return auditing.Check(ctx, r.opened.sink) })
}

// Wait returns nil once checkpoints cover all that was written, as Wait of a *seal.Sink does. It is an
// error when the handle is not that of a sink of type seal by its own name.
func (h *handle) Wait(ctx context.Context) error {
	return h.ask(ctx, func(r *route) error {
		seal, is := r.opened.sink.(interface {
			Wait(ctx context.Context) error
		})
		if !is || h.sink == "" {
			return fmt.Errorf("%s%s is no sink of type seal by its own name, so no checkpoint covers what it stores", h.component, h.sink)
		}
		return seal.Wait(ctx)
	})
}

// ask asks the sink behind the handle, which stays open meanwhile, and waits no longer than ctx lasts.
func (h *handle) ask(ctx context.Context, sink func(*route) error) error {
	g, err := h.trail.enter(ctx, 1)
	if err != nil {
		return err
	}
	defer g.writing.Leave(1)
	r := h.in(g)
	if err := r.missing(); err != nil {
		return err
	}
	return await(ctx, func() error { return sink(r) })
}

// Level returns the level of the chain. It is LevelNone when any decision fails open,
// and while the file has no such component or sink.
func (h *handle) Level() auditing.Level {
	return auditing.LevelOf(h.now().door)
}

// String prints the chain.
func (h *handle) String() string { return h.now().info.Chain }

// GoString returns what String does: %#v would print what the sinks hold.
func (h *handle) GoString() string { return h.String() }

// Driver returns what stages hand events to.
func (h *handle) Driver() (driver.Driver, auditing.Sink) { return behindStage{h.now()}, h }

func (r *route) Info() driver.Info { return r.info }

// Store stores events in the current generation, which may be a newer one than that of
// the route.
func (r *route) Store(ctx context.Context, events []*driver.Event) []error {
	g, err := r.trail.enter(ctx, len(events))
	if err != nil {
		return driver.All(len(events), err)
	}
	defer g.writing.Leave(len(events))
	now := r.in(g)
	if err := now.missing(); err != nil {
		return driver.All(len(events), err)
	}
	return now.opened.driver.Store(ctx, events)
}

// missing says why there is no open sink; nil when there is one.
func (r *route) missing() error {
	switch {
	case r.err != nil:
		return driver.Permanent(r.err)
	case r.opened.closed.Load():
		return driver.WithClass(auditing.ClassTransient, r.generation.file.failed(r.opened.def, "is %w", errAway))
	}
	return nil
}

// Close does nothing: the trail closes its sinks.
func (*route) Close(context.Context) error { return nil }

// behindStage is a route for stages, which do not call Write: the rules of the component
// hold for its Store.
type behindStage struct{ *route }

func (b behindStage) Info() driver.Info {
	info := b.info
	info.Level = b.Level()
	return info
}

func (b behindStage) Store(ctx context.Context, events []*driver.Event) []error {
	return b.now().behind.Store(ctx, events)
}
