package config

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// Sink returns the sink that the file has under this name, for a program that
// moves events of others on, as the reaper does: they keep the component that
// they have, and no timeout or onFailure of a component applies. Only a sink that
// some component uses, or that stands behind one, is open; any other is an error.
// It stays valid over reloads and until Close; while the file has no such sink,
// every Write fails.
func (t *Trail) Sink(name string) (auditing.Sink, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if _, open := t.current.sinks[name]; !open {
		return nil, t.current.notOpen(name)
	}
	return &named{trail: t, name: name}, nil
}

func (g *generation) notOpen(name string) error {
	if _, known := g.file.sinks[name]; known {
		return fmt.Errorf("%s: no component uses the sink %s, so it is not open: name it under components", g.file.name, name)
	}
	names := slices.Sorted(maps.Keys(g.file.sinks))
	return fmt.Errorf("%s: there is no sink %s%s: there are %s", g.file.name, shown(name), nearest(name, names), list(names))
}

// named is a sink by its own name: it finds the generation of the moment.
type named struct {
	trail *Trail
	name  string
}

func (n *named) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return auditing.Deliver(ctx, auditing.Target{Sink: targetName, Stage: true}, ae, func(ctx context.Context, ae *v1alpha1.AuditEvent) error {
		g, err := n.trail.enter(ctx)
		if err != nil {
			return err
		}
		defer g.writing.end()
		o, open := g.sinks[n.name]
		if !open {
			return auditing.Permanent(g.notOpen(n.name))
		}
		return o.sink.Write(ctx, ae)
	})
}

func (n *named) now() auditing.Sink {
	n.trail.mu.RLock()
	defer n.trail.mu.RUnlock()
	if o, open := n.trail.current.sinks[n.name]; open {
		return o.sink
	}
	return auditing.NoopSink{} // at LevelNone
}

// Level returns that of the sink, or LevelNone while the file has no such sink.
func (n *named) Level() auditing.Level { return auditing.LevelOf(n.now()) }

// String prints the sink's chain.
func (n *named) String() string { return auditing.Chain(n.now()) }

// GoString returns what String does: %#v would print what the sinks hold.
func (n *named) GoString() string { return n.String() }
