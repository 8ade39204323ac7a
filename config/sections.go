package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/internal/options"
)

// definition is one sink of a file.
type definition struct {
	name    string
	path    string // in the file
	typ     string
	check   string
	section Section
	refs    []reference
	plan    Plan
	sound   bool   // nothing is wrong with it, or behind it
	owner   string // the component, of an Owned section
	// depth is how many sinks stand one behind the other, this one included. It is 0 before
	// checkGraph comes to the sink, and beingVisited while checkGraph is behind it.
	depth int
	// content is a hash of what the file says of the sink. identify makes it one of the
	// identity as well, and of all sinks behind it.
	content string
}

// resources returns what the sink must have for itself.
func (def *definition) resources() []string {
	if e, ok := def.section.(Exclusive); ok {
		return e.Resources(def.name)
	}
	return nil
}

// holds reports that one of the resources is the sink's.
func (def *definition) holds(resources []string) bool {
	return slices.ContainsFunc(def.resources(), func(r string) bool { return slices.Contains(resources, r) })
}

// identify adds to the content of each sink what it will take from outside the file, the
// component that owns it, and the content of the sinks behind it.
func (f *File) identify(ctx context.Context) error {
	for _, name := range f.order { // each after those behind it
		def := f.sinks[name]
		parts := []string{def.content, def.owner}
		if i, ok := def.section.(Identified); ok {
			identity, err := awaitResult(ctx, func() (string, error) { return i.Identity(), nil })
			if err != nil {
				return f.failed(def, "cannot be read: %w", err)
			}
			parts = append(parts, identity)
		}
		for _, ref := range def.refs {
			parts = append(parts, f.sinks[string(ref.name)].content)
		}
		def.content = digest(parts...)
	}
	return nil
}

// readSinks decodes every sink into the section of its type.
func (d *decoder) readSinks(f *File, h *header, types *Types) {
	if h.Sinks.Kind == 0 {
		return
	}
	const path = "sinks"
	for _, e := range d.entries(&h.Sinks, path) {
		at := join(path, shown(e.name))
		if shown(e.name) != e.name {
			d.problem(e.key.Line, at, "want a name of at most 63 letters, digits, dashes, dots and underscores")
			continue
		}
		def := &definition{name: e.name, path: at}
		f.sinks[e.name] = def
		before := d.problems.all
		d.readSink(def, e.value, at, h.Check, types)
		def.refs, d.refs = d.refs, nil
		def.sound = d.problems.all == before
	}
	f.names = slices.Sorted(maps.Keys(f.sinks))
}

func (d *decoder) readSink(def *definition, n *yaml.Node, at, check string, types *Types) {
	if n.Kind == yaml.AliasNode {
		d.problem(n.Line, at, aliased, d.ifAlias)
		return
	}
	common := sinkHeader{Check: check}
	var shared, own []entry
	typed := false
	for _, e := range d.entries(n, at) {
		if e.name == keyType || e.name == keyCheck {
			shared = append(shared, e)
			typed = typed || e.name == keyType
		} else {
			own = append(own, e)
		}
	}
	switch {
	case n.Kind != yaml.MappingNode: // entries has reported it
		return
	case !typed:
		d.problem(n.Line, join(at, keyType), "is missing: give one of %s", list(types.names()))
		return
	case !d.fillKeys(n.Line, shared, reflect.ValueOf(&common).Elem(), at):
		return
	}
	typ, known := types.byName[common.Type]
	if !known {
		d.problemAt(join(at, keyType), "%s is not a known type%s", shown(common.Type), choice{common.Type, types.names()})
		return
	}
	section := typ.New()
	if !d.fillKeys(n.Line, own, reflect.ValueOf(section).Elem(), at) {
		return
	}
	def.typ, def.check, def.section = typ.Name, common.Check, section
	def.content = contentOf(n, at)
	d.validated(section, at)
}

// contentOf returns a hash of what stands under a path.
func contentOf(n *yaml.Node, path string) string {
	var content map[string]any // which prints in the order of its keys
	err := n.Decode(&content)  // it fails for duplicate keys, which are reported already
	return digest(path, fmt.Sprintf("%#v %v", content, err))
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// readComponents decodes every component.
func (d *decoder) readComponents(f *File, h *header) {
	if h.Components.Kind == 0 {
		return
	}
	const path = "components"
	if h.Components.Kind == yaml.MappingNode && len(h.Components.Content) == 0 {
		d.problem(h.Components.Line, path, "names no component: name one, or * for all")
	}
	for _, e := range d.entries(&h.Components, path) {
		if e.name != anyComponent && (e.name == "" || len(validation.IsValidLabelValue(e.name)) > 0) {
			d.problem(e.key.Line, join(path, shown(e.name)), "want a label value, for it becomes the label paddock.dev/component: "+
				"at most 63 letters, digits, dashes, dots and underscores")
			continue
		}
		var c component
		if d.fill(e.value, reflect.ValueOf(&c).Elem(), join(path, e.name), options.Field{}) {
			f.components[e.name] = c
		}
	}
	for _, ref := range d.refs {
		d.known(f, ref)
	}
	d.refs = nil
}
