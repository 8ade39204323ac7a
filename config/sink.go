package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/paddock-dev/audit/auditing"
)

// Sink returns the sink that the file has under this name, for a program that
// moves events of others on, as the reaper does: they keep the component that
// they have, and no timeout or onFailure of a component applies. Only a sink that
// some component uses, or that stands behind one, is open; any other is an error.
// It stays valid over reloads and until Close; while the file has no such sink,
// every Write fails.
func (t *Trail) Sink(name string) (auditing.Sink, error) {
	g := t.generation()
	if _, open := g.sinks[name]; !open {
		return nil, g.notOpen(name)
	}
	return &handle{trail: t, sink: name}, nil
}

func (g *generation) notOpen(name string) error {
	if _, known := g.file.sinks[name]; known {
		return fmt.Errorf("%s: no component uses the sink %s, so it is not open: name it under components", g.file.name, name)
	}
	names := slices.Sorted(maps.Keys(g.file.sinks))
	return fmt.Errorf("%s: there is no sink %s%s: there are %s", g.file.name, shown(name), nearest(name, names), list(names))
}
