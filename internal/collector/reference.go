package collector

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A collector replaces ${env:NAME}, ${env:NAME:-default}, ${NAME}, and ${file:...} and others, and makes $ of $$.
var (
	reference = regexp.MustCompile(`\$\$|\$\{([^{}]*)\}`)
	variable  = regexp.MustCompile(`^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-.*)?$`)
)

// unresolved stands for a value with a reference whose value is not known here. It is what to call the reference.
type unresolved string

// resolve returns a value with its references replaced.
func (r *reader) resolve(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			value[key] = r.resolve(v)
		}
	case []any:
		for i, v := range value {
			value[i] = r.resolve(v)
		}
	case string:
		return r.expand(value)
	}
	return value
}

// expand replaces the references of a text. A text that is one reference alone has the type of what it refers to, as YAML
// reads it.
func (r *reader) expand(text string) any {
	var missing unresolved
	expanded := reference.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		m := variable.FindStringSubmatch(found[2 : len(found)-1])
		if m != nil {
			if value := r.getenv(m[1]); value != "" {
				return value
			}
		}
		// A default is not taken: the variable may be set where the collector runs.
		missing = called(found)
		return ""
	})
	alone := reference.FindString(text) == text && text != "$$"
	switch {
	case missing != "":
		return missing
	case alone && strings.Contains(expanded, "${"):
		return called(text)
	case alone:
		var value any
		if yaml.Unmarshal([]byte(expanded), &value) == nil {
			return value
		}
	}
	return expanded
}

// called returns a reference without its default, which may be a secret.
func called(reference string) unresolved {
	name, _, _ := strings.Cut(strings.TrimSuffix(reference, "}"), ":-")
	return unresolved(name + "}")
}

// resolved reports whether the value is known. Otherwise it is a problem: whatever is said of the configuration would be a
// guess.
func (r *reader) resolved(value any, path []string) bool {
	ref, missing := value.(unresolved)
	if missing {
		r.problem(path, "is %s, whose value is not known here: set the variable as the collector has it, or give the configuration that otelcol print-config prints", ref)
	}
	return !missing
}
