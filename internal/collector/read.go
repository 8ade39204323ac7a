package collector

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// MaxFile bounds a configuration, in bytes. Parse refuses a larger one.
const MaxFile = 4 << 20

// reader reads a configuration and collects what is wrong with it.
type reader struct {
	file     string
	root     *yaml.Node // for the lines
	getenv   func(string) string
	problems []Problem
}

var (
	yamlLine   = regexp.MustCompile(`line (\d+)`)
	yamlPrefix = regexp.MustCompile(`^yaml: (?:(?:unmarshal errors:\s*)?line \d+: )?`)
)

// parse returns the only document of a file with its references replaced, or nil when it has reported why there is none.
func (r *reader) parse(data []byte) map[string]any {
	if len(data) > MaxFile {
		r.problem(nil, "is larger than 4 MiB: is it a collector's configuration?")
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	var tree any
	err := guarded(func() error { return dec.Decode(&doc) })
	if err == nil {
		err = guarded(func() error { return doc.Decode(&tree) }) // it refuses keys that are there twice, and aliases without end
	}
	switch {
	case errors.Is(err, io.EOF) || err == nil && tree == nil:
		r.problem(nil, "is empty: want a collector's configuration")
		return nil
	case err != nil:
		r.syntax(err)
		return nil
	}
	if err := guarded(func() error { return dec.Decode(&more) }); !errors.Is(err, io.EOF) {
		r.problem(nil, "has a second document, which a collector does not read: want one")
		return nil
	}
	r.root = doc.Content[0]
	top, ok := r.resolve(tree).(map[string]any)
	if !ok {
		r.problem(nil, "is no mapping: want a collector's configuration, with receivers, exporters and service")
	}
	return top
}

// guarded turns a panic of the YAML library into an error.
func guarded(decode func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("yaml: it cannot be read")
		}
	}()
	return decode()
}

// syntax reports an error of the YAML library, without what it may quote of the file.
func (r *reader) syntax(err error) {
	text, line := err.Error(), 0
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
	}
	switch {
	case strings.Contains(text, "unknown anchor"):
		text = "a value begins with * and names no anchor: put it in quotes if it is no alias"
	case strings.Contains(text, "excessive aliasing"), strings.Contains(text, "contains itself"):
		text = "its aliases expand without end: write the values out"
	case strings.Contains(text, "already defined"):
		text = "a key is there twice"
	case strings.ContainsAny(text, "'\"`\n"):
		text = "look at the indentation, the quotes and the brackets here"
	default:
		text = yamlPrefix.ReplaceAllString(text, "")
	}
	r.problems = append(r.problems, Problem{r.file, line, "", "cannot be read as YAML: " + text})
}

// line returns the line of the value at a path, or of the nearest one above it that is written out.
func (r *reader) line(path []string) int {
	n, line := r.root, 0
	for _, key := range path {
		for n != nil && n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		if n == nil || n.Kind != yaml.MappingNode {
			return line
		}
		var next *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if strings.TrimSpace(n.Content[i].Value) == key {
				line, next = n.Content[i].Line, n.Content[i+1]
			}
		}
		n = next
	}
	return line
}

// at returns a path with further keys.
func at(path []string, keys ...string) []string { return slices.Concat(path, keys) }

// section returns the keys at a path, none for null. Without known ones, any key may be there.
func (r *reader) section(value any, path []string, known ...string) map[string]any {
	if value == nil || !r.resolved(value, path) {
		return nil
	}
	keys, ok := value.(map[string]any)
	if !ok {
		r.problem(path, "want a mapping of keys to values")
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if len(known) > 0 && !slices.Contains(known, key) {
			r.problem(at(path, key), "is not a known key: there are %s", strings.Join(known, ", "))
		}
	}
	return keys
}

// names returns a list of the names of components.
func (r *reader) names(value any, path []string) (all []string) {
	if value == nil || !r.resolved(value, path) {
		return nil
	}
	list, ok := value.([]any)
	for _, item := range list {
		name, text := item.(string)
		if ok = ok && (text || !r.resolved(item, path)); text {
			all = append(all, component(name))
		}
	}
	if !ok {
		r.problem(path, "want a list of names")
	}
	return all
}

// boolean returns the value of a key that is true or false, and the default where the key is missing.
func (r *reader) boolean(keys map[string]any, key string, byDefault bool, path []string) bool {
	value, ok := keys[key]
	if !ok || !r.resolved(value, at(path, key)) {
		return byDefault
	}
	b, ok := value.(bool)
	if !ok {
		r.problem(at(path, key), "want true or false")
	}
	return b
}

// duration returns the value of a key such as 5m, and the default where the key is missing.
func (r *reader) duration(keys map[string]any, key string, byDefault time.Duration, path []string) time.Duration {
	value, ok := keys[key]
	if !ok || !r.resolved(value, at(path, key)) {
		return byDefault
	}
	switch value := value.(type) {
	case string:
		if d, err := time.ParseDuration(value); err == nil && d >= 0 {
			return d
		}
	case int:
		if value >= 0 {
			return time.Duration(value)
		}
	}
	r.problem(at(path, key), "want a duration such as 30s")
	return byDefault
}

// component returns the name of a component without spaces around its type and its name.
func component(name string) string {
	kind, rest, named := strings.Cut(name, "/")
	if !named {
		return strings.TrimSpace(name)
	}
	return strings.TrimSpace(kind) + "/" + strings.TrimSpace(rest)
}

// typeOf returns the type of a component: otlp_http of otlp_http/backend.
func typeOf(name string) string {
	kind, _, _ := strings.Cut(name, "/")
	return kind
}
