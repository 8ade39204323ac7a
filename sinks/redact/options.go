package redact

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
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
	// Kinds are the kinds of events that the rule is for, as in "run-failed" or
	// "prompt-*": a * stands for any characters, and a ? for one. All when empty.
	Kinds []string `yaml:"kinds" doc:"kinds of events, with * for any characters and ? for one; all when empty"`
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
	// Secret is at least MinSecret random bytes.
	Secret Secret
	// From is when the key begins to be used for events, by the time of the event. An
	// event before the first From has the oldest key. To rotate, add a key that begins
	// in the future, and leave the others where they are.
	From time.Time
}

// MinSecret is the least number of bytes of a Key's Secret: as many as the hash has.
const MinSecret = 32

const maxID = 24 // characters, so that a hash is the value of a label

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
	_, err := compile(o.Rules)
	if len(o.Rules) == 0 {
		err = errors.Join(err, options.At(o, "Rules", "there is none, so nothing would be redacted: give at least one"))
	}
	err = errors.Join(err, checkKeys(o.Keys))
	if i := slices.IndexFunc(o.Rules, func(r Rule) bool { return r.Action == HMAC }); i >= 0 && len(o.Keys) == 0 {
		err = errors.Join(err, options.At(o, "Keys", "there is none, and rules[%d] says hmac: give one of at least %d random bytes", i, MinSecret))
	}
	return err
}

// wrong returns the error of a part of the options: wrong("rules[0].pattern", ...).
func wrong(part, format string, args ...any) error {
	return &options.Error{Name: strings.ToUpper(part[:1]) + part[1:], Key: part, Err: fmt.Errorf(format, args...)}
}

func checkKeys(keys []Key) error {
	var errs []error
	for i, k := range keys {
		part := fmt.Sprintf("keys[%d].", i)
		if !keyID.MatchString(k.ID) || len(k.ID) > maxID {
			errs = append(errs, wrong(part+"id", "is no id of a key: want at most %d lower-case letters, digits and inner dashes", maxID))
		}
		if len(k.Secret) < MinSecret {
			errs = append(errs, wrong(part+"secret", "has %d bytes: want at least %d, such as those of `openssl rand -hex 32`", len(k.Secret), MinSecret))
		}
		for j, other := range keys[:i] {
			if other.ID == k.ID {
				errs = append(errs, wrong(part+"id", "is the same as that of keys[%d]: a hash has to say which key it is of", j))
			}
			if other.From.Equal(k.From) {
				errs = append(errs, wrong(part+"from", "is the same time as that of keys[%d]: give one of them another", j))
			}
		}
	}
	return errors.Join(errs...)
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
func compile(rules []Rule) ([]*rule, error) {
	compiled := make([]*rule, len(rules))
	var errs []error
	for i, r := range rules {
		part := fmt.Sprintf("rules[%d].", i)
		c := &rule{kinds: slices.Clone(r.Kinds), action: r.Action}
		for j, kind := range r.Kinds {
			if strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789-*?") != "" || kind == "" {
				errs = append(errs, wrong(fmt.Sprintf("%skinds[%d]", part, j), "matches no kind: want lower-case letters, digits and dashes, with * for any of them and ? for one"))
			}
		}
		if len(r.Fields) == 0 {
			errs = append(errs, wrong(part+"fields", "is empty: name a field, or * for every one"))
		}
		for j, path := range r.Fields {
			if err := c.fields.add(path); err != nil {
				errs = append(errs, wrong(fmt.Sprintf("%sfields[%d]", part, j), "%w", err))
			}
		}
		if err := c.compilePattern(r.Pattern); err != nil {
			errs = append(errs, wrong(part+"pattern", "%w", err))
		}
		if !slices.Contains([]Action{Keep, Drop, Mask, HMAC}, r.Action) {
			errs = append(errs, wrong(part+"action", "is no action: want keep, drop, mask or hmac"))
		}
		compiled[i] = c
	}
	return compiled, errors.Join(errs...)
}

func (r *rule) compilePattern(pattern string) (err error) {
	if pattern == "" {
		return nil
	}
	if r.pattern, err = regexp.Compile(pattern); err != nil {
		code := syntax.ErrInternalError
		if e, ok := errors.AsType[*syntax.Error](err); ok {
			code = e.Code // without the pattern, which may be private itself
		}
		return fmt.Errorf("is no regular expression (RE2): %s", code)
	}
	if r.pattern.MatchString("") {
		return errors.New("matches the empty text, and so between any two characters: leave it out to mean the whole text")
	}
	r.begin, _ = r.pattern.LiteralPrefix()
	return nil
}
