package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/options"
)

// Type is one type of sink that a file can name.
type Type struct {
	// Name that the key type takes, as in "loki": at most 63 letters, digits,
	// dashes, dots and underscores.
	Name string
	// Doc says in a sentence what the sink does.
	Doc string
	// New returns a new section: a pointer to a struct, whose fields are the keys
	// of the sink beside type and check. Their tags say the rest:
	//
	//	URL  string        `yaml:"url" required:"true" doc:"address of Loki"`
	//	Wait time.Duration `yaml:"wait" default:"3s" min:"1ms" max:"1m" doc:"how long to wait"`
	//	Mode string        `yaml:"mode" default:"fast" enum:"fast,safe"`
	//	Rate float64       `yaml:"rate" default:"10" min:"1" off:"true" doc:"a second; negative for no limit"`
	//	Next config.Ref    `yaml:"next" required:"true" doc:"the sink to write to"`
	//
	// A field can be a string, a bool, a number, a time.Duration (written as "3s"),
	// a Ref, a Secret, a Value, an encoding.TextUnmarshaler, a struct, or a pointer,
	// slice or map of these. Struct fields with the tag yaml:",inline" add their own
	// keys. Unknown and duplicate keys are refused, and so is a value beyond min and
	// max, unless it is negative and off says that this turns off what it bounds.
	//
	// A key that the file leaves out has what New gave it, or the default of its tag
	// where that is 0 or empty. So a file cannot say 0 or "" for a key that has a
	// default.
	New func() Section
}

// Section is one sink of a file, decoded.
type Section interface {
	// Plan says how the sink will print itself and at which level it will be. It
	// opens nothing. The rules of the file are checked against it.
	Plan(p Planning) Plan
	// Open returns the sink, ready for use. It may be called several times, because
	// a trail reads its file again. The trail closes this sink and those behind it:
	// Close of a sink that Opening gives does nothing.
	Open(ctx context.Context, o Opening) (auditing.Sink, error)
}

// Validator is implemented by a Section whose keys depend on each other. Validate
// joins the errors of everything that is wrong. At marks those that are about one key.
type Validator interface{ Validate() error }

// Exclusive is implemented by a Section whose sink must have something for itself: a
// file that it rotates, a directory that it locks. Two sinks of one file must not have
// a resource in common, and a changed sink is closed before it is opened again. Two names
// of the same resource must be equal: resolve the links of a path. name is that of the sink.
type Exclusive interface{ Resources(name string) []string }

// Identified is implemented by a Section whose sink depends on more than the keys of the
// file, such as the content of a kubeconfig. Identity returns all of that. A reload opens a
// sink anew when its identity has changed. The identity may hold secrets, because it is only
// hashed. It has no error: Open returns the error of what cannot be read.
type Identified interface{ Identity() string }

// Reading is implemented by a Section that reads files of keys beside the configuration when its
// sink is opened. CheckFiles reads them and returns what is wrong with them, which At marks with their
// keys. It opens nothing else, and its error quotes no secret.
type Reading interface{ CheckFiles() error }

// Ref names another sink of the file.
type Ref string

// Plan says how a sink will print itself, its level, and what is worth a warning.
type Plan struct {
	// Chain as auditing.Chain will print it: "retry(loki)".
	Chain string
	// Level that auditing.LevelOf will state.
	Level auditing.Level
	// Warning, when not empty, says what is wrong with a chain that can be used all the
	// same, and what to do about it. It must not quote a value that may be secret.
	Warning string
}

// Planning tells a Section about the sinks that it refers to.
type Planning struct{ plans map[Ref]Plan }

// Of returns the plan of another sink.
func (p Planning) Of(r Ref) Plan { return p.plans[r] }

// Opening has what a Section needs to open its sink.
type Opening struct {
	// Name of the sink in the file.
	Name string
	// Logger of Deps, never nil.
	Logger *slog.Logger
	// Registerer of Deps, nil for none.
	Registerer prometheus.Registerer

	sinks map[Ref]auditing.Sink
}

// Sink returns the sink that r names. Its Close and its Check do nothing, for the
// trail does both.
func (o Opening) Sink(r Ref) auditing.Sink { return o.sinks[r] }

// Value is a key that can be written in more than one shape: a policy that is a
// word or a list. Implement it on the pointer.
type Value interface {
	// FromYAML takes what stands in the file: a string, bool, int, float64,
	// []any or map[string]any. Its error says what is wanted and does not quote v.
	FromYAML(v any) error
	// JSONSchema describes what FromYAML takes.
	JSONSchema() map[string]any
}

// Secret is a text that must not be seen: it prints as "<secret>" whatever verb
// or encoder is used. Written in the file itself it gets a warning; give a type
// that needs one a key for the path of a file beside it.
type Secret string

const redacted = "<secret>"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Format prints "<secret>", or nothing for an empty secret.
func (s Secret) Format(f fmt.State, _ rune) {
	if s != "" {
		_, _ = io.WriteString(f, redacted)
	}
}

// MarshalText returns "<secret>", or nothing for an empty secret.
func (s Secret) MarshalText() ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	return []byte(redacted), nil
}

// Types are the types of sinks that a file may use. The zero value has none. Once all
// are added, Types may be used by any number of goroutines.
type Types struct {
	byName    map[string]Type
	redaction func() Redaction // nil for none
}

// Add adds a type. It refuses an invalid name, a name that is taken, and a section
// that is not a pointer to a struct of supported fields.
func (t *Types) Add(typ Type) error {
	if shown(typ.Name) != typ.Name {
		return fmt.Errorf("config: a type needs a name of at most 63 letters, digits, dashes, dots and underscores, not %q", typ.Name)
	}
	if _, taken := t.byName[typ.Name]; taken {
		return fmt.Errorf("config: there is a type %q already: give the other one a name of its own", typ.Name)
	}
	if typ.New == nil {
		return fmt.Errorf("config: type %q has no New", typ.Name)
	}
	section := reflect.TypeOf(typ.New())
	if section == nil || section.Kind() != reflect.Pointer || section.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("config: New of type %q must return a pointer to a struct", typ.Name)
	}
	if err := supported(section.Elem(), nil); err != nil {
		return fmt.Errorf("config: type %q: %w", typ.Name, err)
	}
	for _, f := range options.Of(section.Elem()) {
		if f.Key == keyType || f.Key == keyCheck {
			return fmt.Errorf("config: type %q has a key %s, which every sink has already", typ.Name, f.Key)
		}
	}
	if t.byName == nil {
		t.byName = map[string]Type{}
	}
	t.byName[typ.Name] = typ
	return nil
}

func (t *Types) names() []string { return slices.Sorted(maps.Keys(t.byName)) }

// All returns the types, sorted by name.
func (t *Types) All() []Type {
	all := make([]Type, 0, len(t.byName))
	for _, name := range t.names() {
		all = append(all, t.byName[name])
	}
	return all
}

var errNoTypes = errors.New("config: there are no types of sinks: give builtin.Types()")
