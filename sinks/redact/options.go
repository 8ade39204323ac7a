package redact

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/paddock-dev/audit/internal/options"
)

// Action is what becomes of a text.
type Action string

const (
	// Keep leaves the text as it is, and ends the rules for it.
	Keep Action = "keep"
	// Drop empties the field. The entry of a map or a list, an owner or a reference is
	// removed, and so is the label paddock.dev/run with the name of the run.
	Drop Action = "drop"
	// Mask replaces each match of the pattern, or the whole text where there is no
	// pattern, by "[masked]".
	Mask Action = "mask"
	// HMAC replaces each match, or the whole text, by its hash.
	HMAC Action = "hmac"
)

// Rule says what becomes of some texts of some events.
type Rule struct {
	// Kinds are the kinds of events that the rule is for. An asterisk stands for any
	// characters: "prompt-*". All when empty.
	Kinds []string `yaml:"kinds" doc:"kinds of events; * stands for any characters; all when empty"`
	// Fields are the fields that the rule is for, as paths: "spec.actor.user",
	// "spec.detail.token". An asterisk stands for all that begins so, "spec.actor.*",
	// and alone for every field; within a key for any characters,
	// "metadata.labels.example.com/*". FieldPaths returns the paths.
	Fields []string `yaml:"fields" required:"true" doc:"paths of fields, such as spec.actor.user or spec.detail.token; spec.actor.* for all that begin so, * for every one"`
	// Pattern is a regular expression (RE2). Mask and HMAC replace what it matches;
	// Keep and Drop are for the texts in which it matches something. Each concerns the
	// whole text when empty. A text that was cut to the bounds of the schema may end
	// within a match: Mask and HMAC replace it as a whole, Drop drops it, and Keep with a
	// pattern does not keep it.
	Pattern string `yaml:"pattern" doc:"regular expression (RE2) of what is replaced; the whole text when empty"`
	// Action is one of Keep, Drop, Mask and HMAC.
	Action Action `yaml:"action" required:"true" enum:"keep,drop,mask,hmac" doc:"what becomes of the text: keep ends the rules for it, drop removes it, mask replaces it by [masked], hmac by a hash under a key"`
}

// Secret is the bytes of a key. It prints as "<secret>".
type Secret []byte

// Format writes "<secret>", whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("<secret>")) }

// MarshalText returns "<secret>".
func (Secret) MarshalText() ([]byte, error) { return []byte("<secret>"), nil }

// Key is a key of the hashes.
type Key struct {
	// ID stands in the hashes: at most 24 lower-case letters, digits and inner dashes.
	ID string
	// Secret is at least 32 random bytes.
	Secret Secret
	// From is when the key begins to be used for events, by the time of the event. An
	// event before the first From has the oldest key. To rotate, add a key that begins
	// in the future, and leave the others where they are.
	From time.Time
}

const (
	minSecret = 32 // bytes, as many as the hash has
	maxID     = 24 // characters, so that a hash is the value of a label
)

// Options of New.
type Options struct {
	// Component, when not empty, becomes the label paddock.dev/component of every
	// event. It must be a label value. When empty, that of the next sink does.
	Component string
	// Rules apply in their order. At least one.
	Rules []Rule `yaml:"rules" required:"true" doc:"what becomes of which texts, in order"`
	// Keys of the hashes, in any order. At least one when a rule has HMAC.
	Keys []Key `yaml:"keys" doc:"keys of the hashes"`
}

// Validate returns everything that is wrong with the options. New asks it as well.
func (o Options) Validate() error {
	_, errs := compile(o.Rules)
	for i, err := range errs {
		errs[i] = options.At(o, "Rules", "%w", err)
	}
	if len(o.Rules) == 0 {
		errs = append(errs, options.At(o, "Rules", "there is none, so nothing would be redacted: give at least one"))
	}
	for _, err := range checkKeys(o.Keys) {
		errs = append(errs, options.At(o, "Keys", "%w", err))
	}
	if hashes := slices.IndexFunc(o.Rules, func(r Rule) bool { return r.Action == HMAC }); hashes >= 0 && len(o.Keys) == 0 {
		errs = append(errs, options.At(o, "Keys", "there is none, and rules[%d] says hmac: give one of at least %d random bytes", hashes, minSecret))
	}
	return errors.Join(errs...)
}

func checkKeys(keys []Key) (errs []error) {
	for i, k := range keys {
		wrong := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("keys[%d]: %s", i, fmt.Sprintf(format, args...)))
		}
		if !keyID.MatchString(k.ID) || len(k.ID) > maxID {
			wrong("its id is not one: want at most %d lower-case letters, digits and inner dashes", maxID)
		}
		if len(k.Secret) < minSecret {
			wrong("its secret has %d bytes: want at least %d, such as those of `openssl rand -hex 32`", len(k.Secret), minSecret)
		}
		for j, other := range keys[:i] {
			if other.ID == k.ID {
				wrong("keys[%d] has the same id: a hash has to say which key it is of", j)
			}
			if other.From.Equal(k.From) {
				wrong("keys[%d] begins at the same time: give one of them another", j)
			}
		}
	}
	return errs
}

var keyID = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// rule is a Rule made ready for use.
type rule struct {
	kinds   []string
	fields  selection
	pattern *regexp.Regexp // nil for the whole text
	begin   string         // what every match of pattern begins with
	action  Action
}

// compile makes rules ready for use, or returns everything that is wrong with them.
func compile(rules []Rule) ([]*rule, []error) {
	compiled := make([]*rule, len(rules))
	var errs []error
	for i, r := range rules {
		wrong := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("rules[%d]: %w", i, fmt.Errorf(format, args...)))
		}
		c := &rule{kinds: slices.Clone(r.Kinds), action: r.Action}
		for _, kind := range r.Kinds {
			if strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789-*") != "" || kind == "" {
				wrong("kinds: %q matches no kind, which has lower-case letters, digits and dashes: * stands for any", kind)
			}
		}
		if len(r.Fields) == 0 {
			wrong("fields: there is none: name one, or * for every one")
		}
		for _, path := range r.Fields {
			if err := c.fields.add(path); err != nil {
				wrong("fields: %w", err)
			}
		}
		if r.Pattern != "" {
			var err error
			if c.pattern, err = regexp.Compile(r.Pattern); err != nil {
				wrong("pattern: %w", err)
			} else if c.pattern.MatchString("") {
				wrong("pattern: it matches the empty text, and so between any two characters: leave it out to mean the whole text")
			} else {
				c.begin, _ = c.pattern.LiteralPrefix()
			}
		}
		if !slices.Contains([]Action{Keep, Drop, Mask, HMAC}, r.Action) {
			wrong("action: %q is not one: want keep, drop, mask or hmac", string(r.Action))
		}
		compiled[i] = c
	}
	return compiled, errs
}
