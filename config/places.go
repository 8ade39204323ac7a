package config

import (
	"fmt"
	"slices"
	"strings"
)

// Storing is implemented by a Section whose sink keeps events where they can be read back.
// Place says where: plain data of a type that the programs know that read, such as
// builtin.LokiPlace. It is nil when what was written cannot be read back, as from a stream.
type Storing interface{ Place() any }

// Place is a sink of a file that keeps events, or that hands them on to no other sink.
type Place struct {
	// Sink is the name of the sink in the file.
	Sink string
	// Chain of the sink, as in Plan.
	Chain string
	// Where is what the section says as a Storing; nil when the events cannot be read back.
	Where any
}

// Places returns the sinks of these names that keep events, and those behind them. A stage
// that keeps none, such as multi, only stands for those behind it. Each sink comes once, in
// the order of names. Without names, all sinks are meant that components use, and come
// sorted by name. The error of an unknown name lists those that there are. Nothing is opened.
func (f *File) Places(names ...string) ([]Place, error) {
	var all []Place
	seen := map[string]bool{}
	if len(names) == 0 {
		for _, name := range f.order { // it has redactions too, which are no places
			all = f.placesOf(name, seen, all)
		}
		slices.SortFunc(all, func(a, b Place) int { return strings.Compare(a.Sink, b.Sink) })
	}
	for _, name := range names {
		if !slices.Contains(f.names, name) {
			return nil, fmt.Errorf("%s: there is no sink %s%s", f.name, shown(name), choice{name, f.names})
		}
		all = f.placesOf(name, seen, all)
	}
	return all, nil
}

// placesOf adds a sink and those behind it that are not seen yet.
func (f *File) placesOf(name string, seen map[string]bool, all []Place) []Place {
	if seen[name] {
		return all
	}
	seen[name] = true
	def := f.sinks[name]
	var where any
	if s, ok := def.section.(Storing); ok {
		where = s.Place()
	}
	if where != nil || len(def.refs) == 0 {
		all = append(all, Place{Sink: name, Chain: def.plan.Chain, Where: where})
	}
	for _, ref := range def.refs {
		all = f.placesOf(string(ref.name), seen, all)
	}
	return all
}

// SinkNames returns the names of all sinks of the file, sorted.
func (f *File) SinkNames() []string { return slices.Clone(f.names) }
