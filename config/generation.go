package config

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// checkTimeout bounds the check of one destination.
const checkTimeout = 10 * time.Second

// generation is a file with its sinks open. A new file becomes a new generation, which
// takes over as a whole. The old one ends with the last write under way in it.
type generation struct {
	file    *File
	sinks   map[string]*opened // those of file.order, by their names
	writing driver.Gate
	over    chan struct{} // closed when another generation has taken over
}

// opened is an open sink, which several generations may share.
type opened struct {
	def    *definition
	sink   auditing.Sink
	driver driver.Driver // behind sink
	closed atomic.Bool   // by a hand-over
}

func newGeneration(f *File, sinks map[string]*opened) *generation {
	return &generation{file: f, sinks: sinks, over: make(chan struct{})}
}

// opened returns the sinks in a new slice, each after those behind it.
func (g *generation) opened() (all []*opened) {
	for _, name := range g.file.order {
		all = append(all, g.sinks[name])
	}
	return all
}

// openFile opens the sinks of f, and keeps those of old that have not changed. When a
// sink cannot be opened, it closes the ones that it opened, in reverse.
func openFile(ctx context.Context, f *File, old *generation, deps Deps, check bool) (g *generation, err error) {
	if err := auditing.RegisterKinds(f.kinds...); err != nil {
		return nil, fmt.Errorf("%s: kinds, with those of before and of other files: %w", f.name, err)
	}
	g = newGeneration(f, map[string]*opened{})
	var own []*opened
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(ctx, own))
		}
	}()
	for _, name := range f.order {
		def := f.sinks[name]
		o := old.unchanged(def)
		if o == nil {
			if o, err = g.open(ctx, def, deps); err != nil {
				return nil, f.failed(def, "cannot be opened: %w", err)
			}
			own = append(own, o)
			if err = o.check(ctx, deps.Logger, check); err != nil {
				return nil, f.failed(def, "failed its check: %w: mend it, or set check: warn or skip", err)
			}
		}
		g.sinks[name] = o
	}
	err = g.keepsPromises()
	return g, err
}

// failed names the sink, as the problems of the file itself do.
func (f *File) failed(def *definition, format string, err error) error {
	return fmt.Errorf("%s: %s: "+format, f.name, def.path, err)
}

// unchanged returns the open sink of a definition that is the same as before, together
// with all sinks behind it. Otherwise it returns nil. A sink may be closed, when a
// hand-over could not open it again.
func (g *generation) unchanged(def *definition) *opened {
	if o := g.sinks[def.name]; o != nil && !o.closed.Load() && o.def.content == def.content {
		return o
	}
	return nil
}

// open opens a sink. One that is opened only after ctx has ended is closed again.
func (g *generation) open(ctx context.Context, def *definition, deps Deps) (*opened, error) {
	o := Opening{Name: def.name, Logger: deps.Logger, Registerer: deps.Registerer, sinks: map[Ref]auditing.Sink{}}
	for _, ref := range def.refs {
		o.sinks[ref.name] = driver.Shared(g.sinks[string(ref.name)].sink)
	}
	made := make(chan auditing.Sink, 1)
	err := await(ctx, func() (err error) {
		var sink auditing.Sink
		defer func() { made <- sink }() // also when Open ends its goroutine
		sink, err = def.open(ctx, o)
		return err
	})
	if err == nil {
		sink := <-made
		return &opened{def: def, sink: sink, driver: driver.Of(sink)}, nil
	}
	go func() {
		sink := <-made
		if sink == nil { // there is none to close
			return
		}
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if err := closeAll(closing, []*opened{{def: def, sink: sink}}); err != nil {
			deps.Logger.Error("an audit sink was opened too late and did not close cleanly", "error", err.Error())
		}
	}()
	return nil, err
}

// open calls Open of the section. Its panic is an error.
func (def *definition) open(ctx context.Context, o Opening) (sink auditing.Sink, err error) {
	defer func() {
		if r := recover(); r != nil {
			o.Logger.Error("opening an audit sink panicked", "sink", def.name, "stack", string(debug.Stack()))
			err = fmt.Errorf("type %s panicked", def.typ)
		}
	}()
	sink, err = def.section.Open(ctx, o)
	switch {
	case err != nil:
		return nil, err
	case sink == nil:
		return nil, fmt.Errorf("type %s returned no sink", def.typ)
	}
	return sink, nil
}

// check asks the destination whether it is there, as the file says.
func (o *opened) check(ctx context.Context, logger *slog.Logger, wanted bool) error {
	if o.def.check == checkSkip || !wanted {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := await(ctx, func() error { return auditing.Check(ctx, o.sink) })
	if err != nil && o.def.check == checkWarn {
		logger.Warn("an audit sink failed its check and is used all the same", "sink", o.def.name, "error", err.Error())
		return nil
	}
	return err
}

// keepsPromises checks the level and the component of the opened sinks: the Plan of a
// type may have promised more.
func (g *generation) keepsPromises() error {
	for _, name := range g.file.Components() {
		c := g.file.components[name]
		o := g.sinks[string(c.Sink)]
		level := auditing.LevelOf(o.sink)
		if len(c.OnFailure.closed()) > 0 && level < auditing.LevelDurable {
			return fmt.Errorf("%s: components.%s: fails closed over %s, which turned out to be at level %s only",
				g.file.name, name, auditing.Chain(o.sink), level)
		}
		if own := o.driver.Info().Component; own != "" && own != name {
			return fmt.Errorf("%s: components.%s: writes to %s, which is of the component %s: make it without one",
				g.file.name, name, auditing.Chain(o.sink), own)
		}
	}
	return nil
}

// notOpen says why there is no open sink of this name.
func (g *generation) notOpen(name string) error {
	if _, known := g.file.sinks[name]; known {
		return fmt.Errorf("%s: no component uses the sink %s, so it is not open: name it under components", g.file.name, name)
	}
	return fmt.Errorf("%s: there is no sink %s%s", g.file.name, shown(name), choice{name, g.file.names})
}

// String prints one line a component, as its sinks print themselves.
func (g *generation) String() string {
	return g.file.describe(func(sink string) Plan {
		s := g.sinks[sink].sink
		return Plan{Chain: auditing.Chain(s), Level: auditing.LevelOf(s)}
	})
}

// closeAll closes sinks in the reverse of the order in which they were opened, so
// that a stage can still drain into what is behind it. A sink that does not return soon
// after ctx ends is left to itself.
func closeAll(ctx context.Context, sinks []*opened) error {
	var errs []error
	for _, o := range slices.Backward(sinks) {
		if err := await(ctx, func() error { return auditing.Close(ctx, o.sink) }); err != nil {
			errs = append(errs, fmt.Errorf("closing the sink %s: %w", o.def.name, err))
		}
	}
	return errors.Join(errs...)
}
