package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/options"
)

// readComponents decodes every component.
func (d *decoder) readComponents(f *File, h *header) {
	if h.Components.Kind == 0 {
		return
	}
	const path = "components"
	entries, ok := d.entries(&h.Components, path)
	if ok && len(entries) == 0 && len(h.Components.Content) == 0 {
		d.problem(&h.Components, path, "names no component: name one, or * for all")
	}
	for _, e := range entries {
		at := join(path, e.name)
		if e.name != AnyComponent && (e.name == "" || len(validation.IsValidLabelValue(e.name)) > 0) {
			d.problem(e.key, join(path, shown(e.name)), "want a label value, for it becomes the label paddock.dev/component: "+
				"at most 63 letters, digits, dashes, dots and underscores")
			continue
		}
		var c Component
		if d.fill(e.value, reflect.ValueOf(&c).Elem(), at, options.Field{}) {
			f.components[e.name] = c
		}
	}
	for _, ref := range d.refs {
		d.known(f, ref)
	}
	d.refs = nil
}

// known reports a reference to a sink that is not in the file.
func (d *decoder) known(f *File, ref reference) bool {
	if f.sinks[string(ref.name)] != nil {
		return true
	}
	names := slices.Sorted(maps.Keys(f.sinks))
	d.problems = append(d.problems, Problem{
		File: d.file, Line: ref.line, Path: ref.path,
		Text: "there is no sink " + shown(string(ref.name)) + nearest(string(ref.name), names) + ": there are " + list(names),
	})
	return false
}

// checkGraph resolves what sinks say of each other, refuses cycles, and plans
// every chain that is in order.
func (d *decoder) checkGraph(f *File) {
	g := &graph{d: d, f: f, state: map[string]int{}}
	for _, name := range slices.Sorted(maps.Keys(f.sinks)) {
		if g.state[name] == 0 {
			g.visit(name)
		}
	}
	d.checkResources(f, g.order)
	f.order = g.order
}

// checkResources refuses two sinks that would be in each other's way.
func (d *decoder) checkResources(f *File, names []string) {
	owners := map[string]string{}
	for _, name := range names {
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

type graph struct {
	d     *decoder
	f     *File
	state map[string]int // 0 not seen, 1 being visited, 2 done
	trail []string       // being visited
	order []string       // sound sinks, each after those behind it
}

func (g *graph) visit(name string) {
	def := g.f.sinks[name]
	g.state[name] = 1
	g.trail = append(g.trail, name)
	behind := []string{def.content}
	plans := map[Ref]Plan{}
	for _, ref := range def.refs {
		if !g.d.known(g.f, ref) {
			def.sound = false
			continue
		}
		next := string(ref.name)
		switch g.state[next] {
		case 0:
			g.visit(next)
		case 1:
			def.sound = false
			from := slices.Index(g.trail, next)
			circle := append(slices.Clone(g.trail[from:]), next)
			g.d.problems = append(g.d.problems, Problem{
				File: g.d.file, Line: ref.line, Path: ref.path,
				Text: "the chain comes back to itself: " + strings.Join(circle, " -> ") + ": take one of them out",
			})
			continue
		}
		other := g.f.sinks[next]
		def.sound = def.sound && other.sound
		behind = append(behind, other.content)
		plans[ref.name] = other.plan
	}
	g.trail = g.trail[:len(g.trail)-1]
	g.state[name] = 2
	if !def.sound || def.section == nil {
		def.sound = false
		return
	}
	def.content = digest(behind...)
	def.plan = def.section.Plan(Planning{plans: plans})
	g.order = append(g.order, name)
}

// checkComponents refuses a promise that a chain cannot keep, and drops the sinks
// that nobody writes to.
func (d *decoder) checkComponents(f *File) {
	used := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(f.components)) {
		c := f.components[name]
		def := f.sinks[string(c.Sink)]
		if def == nil {
			continue
		}
		f.use(def, used)
		closed := c.OnFailure.closed()
		if !def.sound || len(closed) == 0 || def.plan.Level >= auditing.LevelDurable {
			continue
		}
		d.problemAt(join(join("components", name), "onFailure"),
			"closed promises that an event is safe, and %s is only at level %s: "+
				"name a sink at level durable or acknowledged, or set onFailure: open", def.plan.Chain, def.plan.Level)
	}
	for _, name := range slices.Sorted(maps.Keys(f.sinks)) {
		if !used[name] {
			d.warningAt(join("sinks", name), "is used by no component and is not opened: name it in one or take it out")
		}
	}
	f.order = slices.DeleteFunc(f.order, func(name string) bool { return !used[name] })
}

// use marks a sink and all behind it.
func (f *File) use(def *definition, used map[string]bool) {
	if def == nil || used[def.name] {
		return
	}
	used[def.name] = true
	for _, ref := range def.refs {
		f.use(f.sinks[string(ref.name)], used)
	}
}
