package config

import (
	"context"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// driverName stands in errors and metrics for the trail's own part of a chain.
const driverName = "trail"

// handle is a sink of the trail as a program has it, either that of a component or
// one by its own name. It finds the generation of the moment.
type handle struct {
	trail     *Trail
	component string // "" for a sink by its own name: events keep theirs
	sink      string // "" for that of a component
}

var _ driver.Literal = &handle{}

// in returns what the handle stands for in g. A sink by its own name has no
// timeout, and fails closed.
func (h *handle) in(g *generation) (Component, *opened, error) {
	if h.sink == "" {
		c, known := g.file.component(h.component)
		if !known {
			return c, nil, unknownComponent(g.file, h.component)
		}
		return c, g.sinks[string(c.Sink)], nil
	}
	o, open := g.sinks[h.sink]
	if !open {
		return Component{}, nil, g.notOpen(h.sink)
	}
	return Component{}, o, nil
}

func (h *handle) now() (Component, *opened, error) { return h.in(h.trail.generation()) }

// Write writes ae to the chain, with the timeout, the detachment and the answer to
// failures that the file says.
func (h *handle) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	c, o, _ := h.now()
	ctx, cancel := c.context(ctx)
	defer cancel()
	err := driver.Write(ctx, &route{handle: h, info: h.info(o)}, ae)
	if err != nil && ae != nil && c.OnFailure.open(ae.Spec.Decision) {
		h.trail.deps.OnFailure(ctx, h.component, ae, err)
		return nil
	}
	return err
}

func (h *handle) info(o *opened) driver.Info {
	if o == nil {
		return driver.Info{Name: driverName, Chain: h.String(), Component: h.component}
	}
	i := o.driver.Info()
	i.Name = driverName
	if h.sink == "" {
		i.Component = h.component
	}
	return i
}

// Check asks the destinations behind the handle whether they are there.
func (h *handle) Check(ctx context.Context) error {
	g, err := h.trail.enter(ctx)
	if err != nil {
		return err
	}
	defer g.writing.end()
	_, o, err := h.in(g)
	if err != nil {
		return err
	}
	return auditing.Check(ctx, o.sink)
}

// Level returns that of the chain; LevelNone when any decision fails open, and
// while the file does not know the handle.
func (h *handle) Level() auditing.Level {
	c, o, err := h.now()
	if err != nil || len(c.OnFailure.closed()) < 3 {
		return auditing.LevelNone
	}
	return auditing.LevelOf(o.sink)
}

// String prints the chain.
func (h *handle) String() string {
	_, o, err := h.now()
	if err != nil {
		return "unknown(" + h.component + h.sink + ")"
	}
	return auditing.Chain(o.sink)
}

// GoString returns what String does: %#v would print what the sinks hold.
func (h *handle) GoString() string { return h.String() }

// Driver returns what stages hand events to.
func (h *handle) Driver() (driver.Driver, auditing.Sink) {
	_, o, _ := h.now()
	info := h.info(o)
	info.Level = h.Level()
	return &reaction{route{handle: h, info: info}}, h
}

// route stores events in the generation of the moment.
type route struct {
	*handle
	info driver.Info
}

func (r *route) Info() driver.Info { return r.info }

func (r *route) Store(ctx context.Context, events []*driver.Event) []error {
	g, err := r.trail.enter(ctx)
	if err != nil {
		return driver.All(len(events), err)
	}
	defer g.writing.end()
	_, o, err := r.in(g)
	if err != nil {
		return driver.All(len(events), driver.Permanent(err))
	}
	return o.driver.Store(ctx, events)
}

// Close does nothing: the trail closes its sinks.
func (*route) Close(context.Context) error { return nil }

// reaction is a route behind a stage, which does what the handle's Write does.
type reaction struct{ route }

func (r *reaction) Store(ctx context.Context, events []*driver.Event) []error {
	c, _, _ := r.now()
	ctx, cancel := c.context(ctx)
	defer cancel()
	errs := r.route.Store(ctx, events)
	for i, err := range errs {
		if err != nil && c.OnFailure.open(events[i].Decision()) {
			r.trail.deps.OnFailure(ctx, r.component, events[i].Object(), err)
			errs[i] = nil
		}
	}
	return errs
}
