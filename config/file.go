package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/metrics"
	"github.com/paddock-dev/audit/internal/options"
)

const (
	// APIVersion and Kind of the file.
	APIVersion = "audit.paddock.dev/v1alpha1"
	Kind       = "AuditConfiguration"

	// anyComponent is the name under which a file configures every component that
	// it does not name.
	anyComponent = "*"

	keyType  = "type"
	keyCheck = "check"

	// maxFileSize is what a ConfigMap can hold.
	maxFileSize = 1 << 20
)

// What is done when a destination fails its check.
const (
	checkFail = "fail"
	checkWarn = "warn"
	checkSkip = "skip"
)

// header is the file, with its sinks and components still as they stand there.
type header struct {
	APIVersion string    `yaml:"apiVersion" required:"true" enum:"audit.paddock.dev/v1alpha1" doc:"apiVersion: audit.paddock.dev/v1alpha1"`
	Kind       string    `yaml:"kind" required:"true" enum:"AuditConfiguration" doc:"kind: AuditConfiguration"`
	Check      string    `yaml:"check" default:"fail" enum:"fail,warn,skip" doc:"what a destination that fails its check at the start means: the component does not start, logs a warning, or does not ask"`
	Kinds      []kind    `yaml:"kinds" doc:"kinds of events of your own, 100 at most, which then count in metrics under their names and not as other"`
	Redactions yaml.Node `yaml:"redactions" doc:"rules for private texts, each set under a name of your own, which components name under redact"`
	Sinks      yaml.Node `yaml:"sinks" required:"true" doc:"the destinations and stages, each under a name of your own"`
	Components yaml.Node `yaml:"components" required:"true" doc:"the components, each with the sink that it writes to; * is every other one"`
}

// sinkHeader has the keys of sinks of every type.
type sinkHeader struct {
	Type  string `yaml:"type" required:"true" doc:"what the sink is"`
	Check string `yaml:"check" enum:"fail,warn,skip" doc:"the file's check, for this sink alone"`
}

// File is a configuration that was read and found good. It is never changed.
type File struct {
	name       string
	sinks      map[string]*definition
	names      []string // of all sinks, sorted
	order      []string // of sinks that components use, each after those behind it
	redactions map[string]*redaction
	components map[string]component
	kinds      []v1alpha1.AuditKind
	warnings   []Problem
	lines      map[string]int // of each path
}

// Load reads the file at path, which must be a regular file of at most 1 MiB, or a link
// to one. Its error is a *FileError, unless the file could not be read at all.
func Load(path string, types *Types) (*File, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, types)
}

func readFile(path string) ([]byte, error) {
	data, err := disk.ReadFile(path, maxFileSize+1)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return data, nil
}

// Parse reads a configuration; name stands for its file in messages. It opens
// nothing, and its error is a *FileError with everything that is wrong.
func Parse(name string, data []byte, types *Types) (*File, error) {
	if types == nil || len(types.byName) == 0 {
		return nil, errNoTypes
	}
	d := newDecoder(name, fmt.Sprintf("apiVersion: %s and kind: %s", APIVersion, Kind), "name the sink and refer to it by its name")
	f := &File{name: name, sinks: map[string]*definition{}, redactions: map[string]*redaction{}, components: map[string]component{}}
	if root := d.read(data); root != nil {
		h := header{}
		d.fill(root, reflect.ValueOf(&h).Elem(), "", options.Field{})
		d.readKinds(f, &h)
		d.readSinks(f, &h, types)
		d.readRedactions(f, &h, types)
		d.readComponents(f, &h)
		d.redact(f)
		d.checkGraph(f)
		d.checkStanding(f)
		d.checkComponents(f)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	f.warnings, f.lines = d.warnings.sorted(), d.lines
	return f, nil
}

// kind is a kind of event of the user's own, as the file names it.
type kind v1alpha1.AuditKind

var errKind = errors.New("want a DNS label, such as tea-brewed: at most 63 lower-case letters, digits and dashes, and not other, which stands for all kinds without a name")

// FromYAML reads a kind.
func (k *kind) FromYAML(v any) error {
	text, ok := v.(string)
	if !ok || text == metrics.Other || len(validation.IsDNS1123Label(text)) > 0 {
		return errKind
	}
	*k = kind(text)
	return nil
}

// JSONSchema describes a kind.
func (*kind) JSONSchema() map[string]any {
	return map[string]any{
		"type": "string", "pattern": kindPattern, "maxLength": maxNameLength, "not": map[string]any{"const": metrics.Other},
	}
}

func (d *decoder) readKinds(f *File, h *header) {
	if len(h.Kinds) > metrics.MaxKinds {
		d.problemAt("kinds", "are %d, at most %d: each is several series for every component", len(h.Kinds), metrics.MaxKinds)
	}
	for _, k := range h.Kinds {
		f.kinds = append(f.kinds, v1alpha1.AuditKind(k))
	}
}

// CheckFiles reads the files of keys that the sinks of components read when they are opened. Its error is a
// *FileError with everything that is wrong with them.
func (f *File) CheckFiles() error {
	d := newDecoder(f.name, "", "")
	d.lines = f.lines
	seen := map[string]bool{} // a redaction stands in front of several sinks
	for _, name := range f.order {
		def := f.sinks[name]
		if r, ok := def.section.(Reading); ok && !seen[def.path] {
			seen[def.path] = true
			d.report(def.path, r.CheckFiles())
		}
	}
	return d.err()
}

// Warnings returns the warnings about a file that can be used: the first 100, and one more
// that says how many are left out.
func (f *File) Warnings() []Problem { return slices.Clone(f.warnings) }

// Components returns the names of the configured components, sorted.
func (f *File) Components() []string { return slices.Sorted(maps.Keys(f.components)) }

// String prints one line a component: its name, its chain, the level, and what
// happens when the chain fails.
func (f *File) String() string {
	return f.describe(func(sink string) Plan { return f.sinks[sink].plan })
}

// describe returns the lines of String, with the plans that plan returns.
func (f *File) describe(plan func(sink string) Plan) string {
	var lines []string
	for _, name := range f.Components() {
		c := f.components[name]
		lines = append(lines, c.line(name, plan(string(c.Sink))))
	}
	return strings.Join(lines, "\n")
}

// Level returns the level of the chain of a component; LevelNone for one that
// the file does not know.
func (f *File) Level(component string) auditing.Level {
	c, ok := f.component(component)
	if !ok {
		return auditing.LevelNone
	}
	return f.sinks[string(c.Sink)].plan.Level
}

func (f *File) component(name string) (component, bool) {
	c, ok := f.components[name]
	if !ok {
		c, ok = f.components[anyComponent]
	}
	return c, ok
}
