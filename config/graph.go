package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/paddock-dev/audit/auditing"
)

const (
	// beingVisited is the depth of a sink while checkGraph is behind it.
	beingVisited = -1
	// maxDepth is how many sinks may stand one behind the other.
	maxDepth = 256
	// maxChain bounds a printed chain, in bytes: it is in every line of the log at the
	// start, and chains that share their children double it at each level.
	maxChain = 4 << 10
)

// known reports a reference to a sink that is not in the file.
func (d *decoder) known(f *File, ref reference) bool {
	name := string(ref.name)
	if f.sinks[name] == nil {
		d.problemAt(ref.path, "there is no sink %s%s", shown(name), choice{name, f.names})
		return false
	}
	return true
}

// checkGraph resolves the references of sinks, refuses cycles, and plans every chain
// without a problem.
func (d *decoder) checkGraph(f *File) {
	for _, name := range slices.Sorted(maps.Keys(f.sinks)) {
		if f.sinks[name].depth == 0 {
			d.visit(f, name, nil)
		}
	}
	d.checkResources(f)
}

// visit plans a sink after the sinks behind it. front is the way that led to it.
func (d *decoder) visit(f *File, name string, front []string) {
	def := f.sinks[name]
	def.depth = beingVisited
	front = append(front, name)
	depth, plans := 1, map[Ref]Plan{}
	for _, ref := range def.refs {
		if !d.known(f, ref) {
			def.sound = false
			continue
		}
		other := f.sinks[string(ref.name)]
		switch other.depth {
		case 0:
			d.visit(f, other.name, front)
		case beingVisited:
			def.sound = false
			d.problemAt(ref.path, "the chain comes back to itself: %s: take one of them out", circle(front, other.name))
			continue
		}
		depth = max(depth, 1+other.depth)
		def.sound = def.sound && other.sound
		plans[ref.name] = other.plan
	}
	def.depth = depth
	if def.sound {
		d.planned(def, plans)
	}
	if def.sound {
		f.order = append(f.order, name)
	}
}

// planned plans a sink, unless its chain is too long.
func (d *decoder) planned(def *definition, plans map[Ref]Plan) {
	path := def.path
	if def.depth > maxDepth {
		def.sound = false
		if def.depth == maxDepth+1 { // those in front of it are too long for the same reason
			d.problemAt(path, "is the first of %d sinks one behind the other, at most %d: take stages out", def.depth, maxDepth)
		}
		return
	}
	length := 0
	for _, p := range plans {
		length += len(p.Chain)
	}
	if length <= maxChain {
		def.plan = def.section.Plan(Planning{plans: plans})
		length = len(def.plan.Chain)
		if def.plan.Warning != "" {
			d.warningAt(path, def.plan.Warning)
		}
	}
	if length > maxChain {
		def.sound = false
		d.problemAt(path, "the chain takes more than %d bytes when it is printed: name fewer sinks", maxChain)
	}
}

// circle prints the way from a sink back to itself.
func circle(front []string, name string) string {
	way := append(slices.Clone(front[slices.Index(front, name):]), name)
	const most = 16
	if len(way) > most {
		way = append(way[:most/2], append([]string{"..."}, way[len(way)-most/2:]...)...)
	}
	return strings.Join(way, " -> ")
}

// checkResources refuses two sinks that need the same resource for themselves.
func (d *decoder) checkResources(f *File) {
	owners := map[string]string{}
	for _, name := range f.order {
		for _, resource := range f.sinks[name].resources() {
			first, second := owners[resource], name
			if first == "" {
				owners[resource] = name
				continue
			}
			if d.line("sinks."+first) > d.line("sinks."+second) {
				first, second = second, first
			}
			d.problemAt("sinks."+second, "uses what the sink %s uses as well, and only one can: refer to %s instead, or give each its own", first, first)
		}
	}
}

// checkComponents refuses a promise that a chain cannot keep, and drops the sinks
// that nobody writes to.
func (d *decoder) checkComponents(f *File) {
	for _, name := range f.Components() {
		c := f.components[name]
		def := f.sinks[string(c.Sink)]
		if def != nil && def.sound && len(c.OnFailure.closed()) > 0 && def.plan.Level < auditing.LevelDurable {
			d.problemAt(join(join("components", name), "onFailure"),
				"closed promises that an event is safe, and %s is only at level %s: "+
					"name a sink at level durable or acknowledged, or set onFailure: open", def.plan.Chain, def.plan.Level)
		}
	}
	for _, name := range f.dropUnused() {
		d.warningAt(join("sinks", name), "is used by no component and is not opened: name it in one or take it out")
	}
}

// dropUnused removes from order the sinks that no component writes to, directly or
// through other sinks, and returns their names.
func (f *File) dropUnused() (unused []string) {
	used := map[string]bool{}
	for _, c := range f.components {
		used[string(c.Sink)] = true
	}
	for _, name := range slices.Backward(f.order) { // each before those behind it
		for _, ref := range f.sinks[name].refs {
			used[string(ref.name)] = used[string(ref.name)] || used[name]
		}
	}
	f.order = slices.DeleteFunc(f.order, func(name string) bool {
		if !used[name] {
			unused = append(unused, name)
		}
		return !used[name]
	})
	return unused
}
