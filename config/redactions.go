package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/paddock-dev/audit/internal/options"
)

// Redaction is one redaction of a file, decoded. It is made like a Section, and can be a
// Validator.
type Redaction interface {
	// In returns the stage that redacts what is written to next. The section may be
	// Identified.
	In(next Ref) Section
}

// SetRedaction sets what a file can say under redactions. made returns a new section, as
// Type.New does. Without it a file has no redactions.
func (t *Types) SetRedaction(made func() Redaction) error {
	if made == nil {
		return errors.New("config: SetRedaction needs a function")
	}
	section := reflect.TypeOf(made())
	if section == nil || section.Kind() != reflect.Pointer || section.Elem().Kind() != reflect.Struct {
		return errors.New("config: a redaction must be a pointer to a struct")
	}
	if err := supported(section.Elem(), nil); err != nil {
		return fmt.Errorf("config: redaction: %w", err)
	}
	t.redaction = made
	return nil
}

// redaction is one redaction of a file.
type redaction struct {
	Redaction

	content string // a hash of what the file says of it
	sound   bool   // nothing is wrong with it
	used    bool   // by a component
}

// readRedactions decodes every redaction.
func (d *decoder) readRedactions(f *File, h *header, types *Types) {
	const path = "redactions"
	switch {
	case h.Redactions.Kind == 0:
		return
	case types.redaction == nil:
		d.problem(h.Redactions.Line, path, "are unknown to this program: take them out, so that nobody relies on them")
		return
	}
	for _, e := range d.entries(&h.Redactions, path) {
		at := join(path, shown(e.name))
		if shown(e.name) != e.name {
			d.problem(e.key.Line, at, "want a name of at most 63 letters, digits, dashes, dots and underscores")
			continue
		}
		r := &redaction{Redaction: types.redaction()}
		f.redactions[e.name] = r
		if before := d.problems.all; d.fill(e.value, reflect.ValueOf(r.Redaction).Elem(), at, options.Field{}) {
			r.content = contentOf(e.value, at)
			d.validated(r.Redaction, at)
			r.sound = d.problems.all == before
		}
	}
}

// redact puts the redaction of each component in front of its sink: components of the
// same redaction and sink share one. So the component has no other way to the sink.
func (d *decoder) redact(f *File) {
	for _, name := range f.Components() {
		c := f.components[name]
		if c.Redact == "" {
			continue
		}
		r := f.redactions[c.Redact]
		if r == nil {
			d.problemAt(join(join("components", name), "redact"), "there is no redaction %s%s", shown(c.Redact),
				choice{c.Redact, slices.Sorted(maps.Keys(f.redactions))})
			continue
		}
		r.used = true
		if f.sinks[string(c.Sink)] == nil { // which is reported
			continue
		}
		stage := "redactions." + c.Redact + "(" + string(c.Sink) + ")" // no name of a sink
		f.sinks[stage] = &definition{
			name: stage, path: "redactions." + c.Redact, typ: "redact", check: checkSkip,
			section: r.In(c.Sink), refs: []reference{{name: c.Sink}}, sound: r.sound, content: r.content,
		}
		c.Sink = Ref(stage)
		f.components[name] = c
	}
	for name, r := range f.redactions {
		if !r.used {
			d.warningAt(join("redactions", name), "is used by no component: name it in one or take it out")
		}
	}
}

// Redaction returns what the file says of a redaction. Its error lists those that there
// are.
func (f *File) Redaction(name string) (Redaction, error) {
	r := f.redactions[name]
	if r == nil {
		return nil, fmt.Errorf("%s: there is no redaction %s%s", f.name, shown(name), choice{name, slices.Sorted(maps.Keys(f.redactions))})
	}
	return r.Redaction, nil
}
