package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/paddock-dev/audit/internal/options"
)

// Placed is implemented by a Section whose sink cannot stand in front of every other one.
// MayStandBefore joins the errors about the sinks behind it; At marks those that are about one key.
type Placed interface {
	MayStandBefore(behind []Neighbour) error
}

// Neighbour is a sink that stands behind another one, directly or through others.
type Neighbour struct {
	// Name of the sink in the file.
	Name string
	// Section that was decoded for it.
	Section Section
}

// Owned is implemented by a Section whose sink is that of one component: a file in which
// several write to it, or * does, is refused. Own gets the component's name, before Open.
type Owned interface{ Own(component string) }

// checkStanding asks the sinks whether they can stand where they stand, and tells the owned
// ones whose they are.
func (d *decoder) checkStanding(f *File) {
	users := f.users()
	for _, name := range f.order {
		def := f.sinks[name]
		if placed, ok := def.section.(Placed); ok {
			d.report(def.path, placed.MayStandBefore(f.behind(def)))
		}
		owned, ok := def.section.(Owned)
		if !ok {
			continue
		}
		switch components := slices.Sorted(maps.Keys(users[name])); {
		case len(components) > 1:
			d.problemAt(def.path, "is that of one component, and %s write to it: give each a sink of this type", strings.Join(components, " and "))
		case slices.Contains(components, anyComponent):
			d.problemAt(def.path, "is that of one component, and * is every other one: name the component instead of *")
		case len(components) == 1:
			def.owner = components[0]
			owned.Own(def.owner)
		}
	}
}

// report reports errors about a section at a path.
func (d *decoder) report(at string, err error) {
	for _, e := range options.Split(err) {
		path := at
		if e.Key != "" {
			path = join(at, e.Key)
		}
		d.problemAt(path, "%s", e.Err)
	}
}

// users returns which components write to each sink, directly or through others.
func (f *File) users() map[string]map[string]bool {
	users := map[string]map[string]bool{}
	uses := func(sink Ref, components ...string) {
		if users[string(sink)] == nil {
			users[string(sink)] = map[string]bool{}
		}
		for _, c := range components {
			users[string(sink)][c] = true
		}
	}
	for name, c := range f.components {
		uses(c.Sink, name)
	}
	for _, name := range slices.Backward(f.order) { // each before those behind it
		for _, ref := range f.sinks[name].refs {
			uses(ref.name, slices.Collect(maps.Keys(users[name]))...)
		}
	}
	return users
}

// behind returns the sinks behind another one, each once, the nearest first.
func (f *File) behind(def *definition) (all []Neighbour) {
	seen := map[string]bool{}
	for next := []*definition{def}; len(next) > 0; next = next[1:] {
		for _, ref := range next[0].refs {
			other := f.sinks[string(ref.name)]
			if seen[other.name] {
				continue
			}
			seen[other.name] = true
			all, next = append(all, Neighbour{other.name, other.section}), append(next, other)
		}
	}
	return all
}
