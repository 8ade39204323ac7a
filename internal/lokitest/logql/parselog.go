package logql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// log parses a stream selector and its pipeline.
func (p *parser) log() (*LogExpr, error) {
	e := &LogExpr{}
	var err error
	if e.Matchers, err = p.matchers(); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(e.Matchers, func(m Matcher) bool { return !m.Matches("") }) {
		return nil, errors.New("queries require at least one regexp or equality matcher that does not have an empty-compatible value")
	}
	for {
		s, err := p.stage()
		if err != nil {
			return nil, err
		}
		if s == nil {
			break
		}
		e.Stages = append(e.Stages, s)
	}
	for i, s := range e.Stages {
		if _, ok := s.(unwrap); ok && i < len(e.Stages)-1 {
			return nil, errors.New("| unwrap: the stand-in knows it as the last stage only")
		}
	}
	return e, nil
}

// comparisons are the operators that compare labels.
var comparisons = []string{"=", "!=", "=~", "!~"}

// matchers parses {a="b", c="d"}.
func (p *parser) matchers() (all []Matcher, err error) {
	if err := p.want("{"); err != nil {
		return nil, err
	}
	for !p.is("}") {
		if len(all) > 0 {
			if err := p.want(","); err != nil {
				return nil, err
			}
		}
		m, err := p.matcher()
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (p *parser) matcher() (Matcher, error) {
	name, err := p.wantKind(kindName, "a label's name")
	if err != nil {
		return Matcher{}, err
	}
	return p.comparison(name)
}

func (p *parser) comparison(name string) (Matcher, error) {
	if t := p.peek(); t.kind != kindSign || !slices.Contains(comparisons, t.text) {
		return Matcher{}, p.unexpected("one of " + strings.Join(comparisons, ", "))
	}
	op := p.take().text
	value, err := p.wantKind(kindText, "a quoted text")
	if err != nil {
		return Matcher{}, err
	}
	return newMatcher(name, op, value)
}

// stage parses the next stage of a pipeline. It returns nil at the end of the pipeline.
func (p *parser) stage() (Stage, error) {
	t := p.peek()
	if t.kind != kindSign {
		return nil, nil
	}
	switch t.text {
	case "|=", "!=", "|~", "!~":
		p.take()
		text, err := p.wantKind(kindText, "a quoted text")
		if err != nil {
			return nil, err
		}
		return newLineFilter(t.text, text)
	case "|":
		p.take()
	default:
		return nil, nil
	}
	switch {
	case p.is("json"):
		return p.json()
	case p.is("line_format"):
		text, err := p.wantKind(kindText, "a quoted template")
		if err != nil {
			return nil, err
		}
		return newLineFormat(text)
	case p.is("unwrap"):
		name, err := p.wantKind(kindName, "a label's name")
		return unwrap{name: name}, err
	}
	return p.either()
}

// either parses label filters that are joined by or. both parses those joined by and or a comma, which bind more tightly.
func (p *parser) either() (Stage, error) {
	first, err := p.both()
	for err == nil && p.is("or") {
		var second Stage
		second, err = p.both()
		first = eitherFilter{first, second}
	}
	return first, err
}

func (p *parser) both() (Stage, error) {
	first, err := p.filter()
	for err == nil && (p.is("and") || p.is(",")) {
		var second Stage
		second, err = p.filter()
		first = bothFilters{first, second}
	}
	return first, err
}

func (p *parser) filter() (Stage, error) {
	if p.is("(") {
		s, err := p.either()
		if err != nil {
			return nil, err
		}
		return s, p.want(")")
	}
	name, err := p.wantKind(kindName, "a label's name")
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != kindSign || !slices.Contains(comparisons, t.text) {
		return nil, fmt.Errorf("at byte %d: the stand-in knows no stage %s and compares labels with %s only", t.at, name, strings.Join(comparisons, ", "))
	}
	m, err := p.comparison(name)
	return labelFilter{m}, err
}

func (p *parser) json() (Stage, error) {
	var s jsonStage
	for p.peek().kind == kindName {
		name := p.take().text
		if err := p.want("="); err != nil {
			return nil, err
		}
		path, err := p.wantKind(kindText, "a quoted path")
		if err != nil {
			return nil, err
		}
		if path == "" || strings.ContainsAny(path, `[]"`) {
			return nil, fmt.Errorf("| json %s=%q: the stand-in knows paths of names joined by dots only", name, path)
		}
		s.fields = append(s.fields, jsonField{name: name, path: strings.Split(path, ".")})
		if !p.is(",") {
			break
		}
	}
	if len(s.fields) == 0 {
		return nil, errors.New(`| json: the stand-in needs the fields by name, such as | json host="spec.host"`)
	}
	return s, nil
}

// unwrap names the field whose values a range adds up. The parser takes it out of the pipeline again.
type unwrap struct{ name string }

func (u unwrap) apply(*Row) (bool, error) {
	return false, errors.New("| unwrap belongs into a range such as sum_over_time({...} | unwrap name [1h])")
}
func (u unwrap) names() (read, made []string) { return []string{u.name}, nil }
