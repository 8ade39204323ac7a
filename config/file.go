package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/options"
)

const (
	// APIVersion and Kind of the file.
	APIVersion = "audit.paddock.dev/v1alpha1"
	Kind       = "AuditConfiguration"

	// AnyComponent is the name under which a file configures every component that
	// it does not name.
	AnyComponent = "*"

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
	Sinks      yaml.Node `yaml:"sinks" required:"true" doc:"the destinations and stages, each under a name of your own"`
	Components yaml.Node `yaml:"components" required:"true" doc:"the components, each with the sink that it writes to; * is every other one"`
}

// sinkHeader is what every sink has, whatever its type.
type sinkHeader struct {
	Type  string `yaml:"type" required:"true" doc:"what the sink is"`
	Check string `yaml:"check" enum:"fail,warn,skip" doc:"the file's check, for this sink alone"`
}

// File is a configuration that was read and found good. It is never changed.
type File struct {
	name       string
	sinks      map[string]*definition
	order      []string // of sinks that components use, each after those behind it
	components map[string]Component
	kinds      []v1alpha1.AuditKind
	warnings   []Problem
}

// definition is one sink of a file.
type definition struct {
	name    string
	typ     string
	check   string
	section Section
	refs    []reference
	plan    Plan
	// content is a hash of the sink and of all behind it.
	content string
	sound   bool // nothing is wrong with it, or behind it
}

// resources returns what the sink must have for itself.
func (f *definition) resources() []string {
	if e, ok := f.section.(Exclusive); ok {
		return e.Resources(f.name)
	}
	return nil
}

// Load reads the file at path. Its error is a *FileError, unless the file could
// not be read at all.
func Load(path string, types *Types) (*File, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, types)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
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
	d := &decoder{
		file: name, lines: map[string]int{},
		ifEmpty: fmt.Sprintf("apiVersion: %s and kind: %s", APIVersion, Kind),
		ifAlias: "name the sink and refer to it by its name",
	}
	f := &File{name: name, sinks: map[string]*definition{}, components: map[string]Component{}}
	if root := d.read(data); root != nil {
		d.lines[""] = root.Line
		h := header{}
		d.fill(root, reflect.ValueOf(&h).Elem(), "", options.Field{})
		d.readKinds(f, &h)
		d.readSinks(f, &h, types)
		d.readComponents(f, &h)
		d.checkGraph(f)
		d.checkComponents(f)
	}
	if len(d.problems) > 0 {
		sortProblems(d.problems)
		return nil, &FileError{Problems: d.problems}
	}
	sortProblems(d.warnings)
	f.warnings = d.warnings
	return f, nil
}

// readSinks decodes every sink into the section of its type.
func (d *decoder) readSinks(f *File, h *header, types *Types) {
	if h.Sinks.Kind == 0 {
		return
	}
	const path = "sinks"
	entries, _ := d.entries(&h.Sinks, path)
	for _, e := range entries {
		at := join(path, shown(e.name))
		if shown(e.name) != e.name {
			d.problem(e.key, at, "want a name of at most 63 letters, digits, dashes, dots and underscores")
			continue
		}
		def := &definition{name: e.name}
		f.sinks[e.name] = def
		before := len(d.problems)
		d.refs = nil
		d.readSink(def, e.value, at, h.Check, types)
		def.refs, d.refs = d.refs, nil
		def.sound = len(d.problems) == before
	}
}

func (d *decoder) readSink(def *definition, n *yaml.Node, at, check string, types *Types) {
	if n.Kind == yaml.AliasNode {
		d.fill(n, reflect.ValueOf(&sinkHeader{}).Elem(), at, options.Field{})
		return
	}
	entries, ok := d.entries(n, at)
	if !ok {
		return
	}
	common := sinkHeader{Check: check}
	own := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.name == keyType || e.name == keyCheck })
	shared := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.name != keyType && e.name != keyCheck })
	if find := func(e entry) bool { return e.name == keyType }; !slices.ContainsFunc(shared, find) && !has(n, keyType) {
		d.problem(n, join(at, keyType), "is missing: give one of %s", list(types.Names()))
		return
	}
	if !d.fillKeys(n, shared, reflect.ValueOf(&common).Elem(), at) {
		return
	}
	typ, known := types.byName[common.Type]
	if !known {
		names := types.Names()
		d.problemAt(join(at, keyType), "%s is not a known type%s: there are %s", shown(common.Type), nearest(common.Type, names), list(names))
		return
	}
	section := typ.New()
	if !d.fillKeys(n, own, reflect.ValueOf(section).Elem(), at) {
		return
	}
	def.typ, def.check, def.section = typ.Name, common.Check, section
	def.content = d.hash(n, at)
	if v, ok := section.(Validator); ok {
		for _, e := range options.Split(v.Validate()) {
			d.problemAt(join(at, e.Key), "%s", e.Err)
		}
	}
	if w, ok := section.(Warner); ok {
		for _, e := range options.Split(w.Warnings()) {
			d.warningAt(join(at, e.Key), e.Err.Error())
		}
	}
}

// hash is equal for sinks that were written with the same keys and values.
func (d *decoder) hash(n *yaml.Node, at string) string {
	value, _ := d.plain(n, at)
	text, err := json.Marshal(value)
	if err != nil { // a number that is none
		text = fmt.Append(nil, n.Line, err)
	}
	return digest(at, string(text))
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// Warnings returns what is unwise in the file without being wrong.
func (f *File) Warnings() []Problem { return slices.Clone(f.warnings) }

// Components returns the names of the configured components, sorted.
func (f *File) Components() []string { return slices.Sorted(maps.Keys(f.components)) }

// String prints one line a component: its name, its chain, the level, and what
// happens when the chain fails.
func (f *File) String() string {
	lines := make([]string, 0, len(f.components))
	for _, name := range f.Components() {
		c := f.components[name]
		lines = append(lines, c.line(name, f.sinks[string(c.Sink)].plan))
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

func (f *File) component(name string) (Component, bool) {
	c, ok := f.components[name]
	if !ok {
		c, ok = f.components[AnyComponent]
	}
	return c, ok
}
