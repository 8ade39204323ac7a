package redact

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/options"
)

// FieldPaths returns the paths that a Rule may name. Those of the values of a map end
// with an asterisk, in place of which a key may stand.
func FieldPaths() []string {
	paths := make([]string, eventjson.NumFields)
	for f := range eventjson.NumFields {
		paths[f] = f.Path()
	}
	return paths
}

// never are the paths that no rule may name, with the reason.
var never = map[string]string{
	"spec.decision":                        "what was decided is what the trail is for",
	"spec.kind":                            "what was decided upon is what the trail is for",
	"spec.timestamp":                       "the time is part of the identity of the event",
	"spec.windowStart":                     "it is a time and no text",
	"spec.windowEnd":                       "it is a time and no text",
	"spec.count":                           "it is a number and no text",
	"spec.destination.port":                "it is a number and no text",
	"spec.sampleDestinations.port":         "it is a number and no text",
	"metadata.name":                        "it is the identity of the event: give it no private name",
	"metadata.generateName":                "it begins the name of the event: give it no private text",
	"metadata.namespace":                   "rights go by the namespace",
	"metadata.finalizers":                  "a controller finds its finalizer by its name",
	"metadata.ownerReferences.kind":        "it is the type of the owner",
	"metadata.ownerReferences.apiVersion":  "it is the type of the owner",
	"metadata.labels.paddock.dev/run":      "it follows spec.runRef.name: name that",
	"metadata.labels.paddock.dev/decision": "it repeats spec.decision, which stays",
	"metadata.labels.paddock.dev/kind":     "it repeats spec.kind, which stays",

	"metadata.labels.paddock.dev/component":      "rights go by the component",
	"metadata.annotations.paddock.dev/timestamp": "it repeats spec.timestamp, which stays",
	"metadata.annotations.paddock.dev/owner":     "it follows metadata.ownerReferences.name: name that",
}

// selection is a set of fields.
type selection struct {
	whole [eventjson.NumFields]bool
	keys  [eventjson.NumFields][]glob // of maps
}

// add adds the fields of a path, as Rule.Fields has them.
func (s *selection) add(path string) error {
	if why, ok := never[path]; ok {
		return fmt.Errorf("cannot be redacted: %s", why)
	}
	for f := range eventjson.NumFields {
		begin, isMap := strings.CutSuffix(f.Path(), "*")
		if key, ok := strings.CutPrefix(path, begin); isMap && ok && key != "" && key != "*" {
			s.keys[f] = append(s.keys[f], newGlob(key))
			return nil
		}
	}
	begin, all := strings.CutSuffix(path, "*")
	found := false
	for f := range eventjson.NumFields {
		if f.Path() == path || all && (begin == "" || strings.HasSuffix(begin, ".") && strings.HasPrefix(f.Path(), begin)) {
			s.whole[f], found = true, true
		}
	}
	switch {
	case found:
		return nil
	case strings.Contains(strings.TrimSuffix(path, ".*"), "*"):
		return errors.New("has an asterisk where none can be: * is every field, spec.actor.* what begins so, and within a key it is any characters")
	}
	return fmt.Errorf("is no field%s", suggestion(path))
}

// suggestion says which path was perhaps meant.
func suggestion(path string) string {
	known := FieldPaths()
	if near := options.Nearest(path, known); near != "" {
		return near
	}
	if i := slices.IndexFunc(known, func(p string) bool { return strings.HasPrefix(p, path) || strings.HasSuffix(p, "."+path) }); i >= 0 {
		return ": did you mean " + known[i] + "?"
	}
	return ": there are " + strings.Join(known, ", ")
}

// has reports whether the field is selected, for the value of a map with its key.
func (s *selection) has(f eventjson.Field, key string) bool {
	if s.whole[f] {
		return true
	}
	for _, g := range s.keys[f] {
		if g.matches(key) {
			return true
		}
	}
	return false
}

// any reports whether the field is selected for some key.
func (s *selection) any(f eventjson.Field) bool { return s.whole[f] || len(s.keys[f]) > 0 }

// glob is a text in which an asterisk stands for any characters.
type glob struct {
	begin string
	parts []string // between the asterisks, and behind the last one; none without any
}

func newGlob(text string) glob {
	all := strings.Split(text, "*")
	return glob{begin: all[0], parts: all[1:]}
}

func (g glob) matches(s string) bool {
	s, ok := strings.CutPrefix(s, g.begin)
	if !ok || len(g.parts) == 0 {
		return ok && s == ""
	}
	last := len(g.parts) - 1
	for _, part := range g.parts[:last] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, g.parts[last])
}
