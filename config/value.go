package config

import (
	"fmt"
	"io"
)

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
