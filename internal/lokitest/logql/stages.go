package logql

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"text/template/parse"
)

// lineFilter keeps or leaves out rows by the text of their line.
type lineFilter struct {
	op      string // |=, !=, |~ or !~
	text    string
	pattern *regexp.Regexp
}

func newLineFilter(op, text string) (Stage, error) {
	f := lineFilter{op: op, text: text}
	if op == "|~" || op == "!~" {
		pattern, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("a line filter that cannot be read: %w", err)
		}
		f.pattern = pattern
	}
	return f, nil
}

func (f lineFilter) apply(r *Row) (bool, error) {
	switch f.op {
	case "|=":
		return strings.Contains(r.Line, f.text), nil
	case "!=":
		return !strings.Contains(r.Line, f.text), nil
	case "|~":
		return f.pattern.MatchString(r.Line), nil
	default:
		return !f.pattern.MatchString(r.Line), nil
	}
}

func (f lineFilter) names() (read, made []string) { return nil, nil }

// labelFilter keeps rows by the value of one field.
type labelFilter struct{ Matcher }

func (f labelFilter) apply(r *Row) (bool, error)   { return f.Matches(r.value(f.Name)), nil }
func (f labelFilter) names() (read, made []string) { return []string{f.Name}, nil }

// bothFilters and eitherFilter join two label filters.
type (
	bothFilters  struct{ first, second Stage }
	eitherFilter struct{ first, second Stage }
)

func (f bothFilters) apply(r *Row) (bool, error) {
	if keep, err := f.first.apply(r); err != nil || !keep {
		return false, err
	}
	return f.second.apply(r)
}

func (f eitherFilter) apply(r *Row) (bool, error) {
	if keep, err := f.first.apply(r); err != nil || keep {
		return keep, err
	}
	return f.second.apply(r)
}

func (f bothFilters) names() (read, made []string)  { return namesOf(f.first, f.second), nil }
func (f eitherFilter) names() (read, made []string) { return namesOf(f.first, f.second), nil }

func namesOf(stages ...Stage) (all []string) {
	for _, s := range stages {
		read, _ := s.names()
		all = append(all, read...)
	}
	return all
}

// jsonStage makes fields from the line's JSON. The value of an object or a list is its JSON, and that of a missing field
// is "".
type jsonStage struct{ fields []jsonField }

type jsonField struct {
	name string
	path []string
}

func (s jsonStage) apply(r *Row) (bool, error) {
	if r.Parsed == nil {
		r.Parsed = map[string]string{}
	}
	whole := json.RawMessage(r.Line)
	if !json.Valid(whole) {
		r.Parsed["__error__"] = "JSONParserErr"
		return true, nil
	}
	for _, f := range s.fields {
		_, label := r.Labels[f.name]
		_, metadata := r.Metadata[f.name]
		if label || metadata {
			return false, fmt.Errorf("| json %s: the stand-in does not know what Loki does where the name is a label or metadata already", f.name)
		}
		r.Parsed[f.name] = lookUp(whole, f.path)
	}
	return true, nil
}

func (s jsonStage) names() (read, made []string) {
	for _, f := range s.fields {
		made = append(made, f.name)
	}
	return nil, made
}

func lookUp(value json.RawMessage, path []string) string {
	for _, key := range path {
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) != nil {
			return ""
		}
		value = object[key]
	}
	if len(value) == 0 || string(value) == "null" {
		return ""
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// lineFormat replaces the line.
type lineFormat struct{ template *template.Template }

func newLineFormat(text string) (Stage, error) {
	t, err := template.New("line_format").Option("missingkey=zero").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("a line_format that cannot be read: %w", err)
	}
	f := lineFormat{template: t}
	for _, node := range t.Root.Nodes {
		if f.unknown(node) {
			return nil, fmt.Errorf("line_format %s: the stand-in knows {{.name}} only", node)
		}
	}
	return f, nil
}

// unknown returns an error for a template with more than text and names of fields.
func (f lineFormat) unknown(node parse.Node) bool {
	switch node := node.(type) {
	case *parse.TextNode:
		return false
	case *parse.ActionNode:
		return fieldOf(node) == ""
	}
	return true
}

func fieldOf(node *parse.ActionNode) string {
	if len(node.Pipe.Cmds) != 1 || len(node.Pipe.Cmds[0].Args) != 1 {
		return ""
	}
	field, ok := node.Pipe.Cmds[0].Args[0].(*parse.FieldNode)
	if !ok || len(field.Ident) != 1 {
		return ""
	}
	return field.Ident[0]
}

func (f lineFormat) apply(r *Row) (bool, error) {
	var line strings.Builder
	if err := f.template.Execute(&line, r.Fields()); err != nil {
		return false, fmt.Errorf("line_format: %w", err)
	}
	r.Line = line.String()
	return true, nil
}

func (f lineFormat) names() (read, made []string) {
	for _, node := range f.template.Root.Nodes {
		if action, ok := node.(*parse.ActionNode); ok {
			read = append(read, fieldOf(action))
		}
	}
	return read, nil
}
