package logql

import (
	"fmt"
	"regexp"
)

// Matcher compares one value with a text or a regular expression.
type Matcher struct {
	Name, Op, Value string // Op is =, !=, =~ or !~

	pattern *regexp.Regexp // of the whole value, for =~ and !~
}

func newMatcher(name, op, value string) (Matcher, error) {
	m := Matcher{Name: name, Op: op, Value: value}
	switch op {
	case "=", "!=":
		return m, nil
	case "=~", "!~":
		pattern, err := regexp.Compile("^(?s:" + value + ")$")
		if err != nil {
			return m, fmt.Errorf("a regular expression that cannot be read: %w", err)
		}
		m.pattern = pattern
		return m, nil
	}
	return m, fmt.Errorf("unknown comparison %q: want =, !=, =~ or !~", op)
}

// Matches reports whether the value satisfies the matcher.
func (m Matcher) Matches(value string) bool {
	switch m.Op {
	case "=":
		return value == m.Value
	case "!=":
		return value != m.Value
	case "=~":
		return m.pattern.MatchString(value)
	default:
		return !m.pattern.MatchString(value)
	}
}

// Selects reports whether the labels of a stream satisfy all matchers. A missing label has the value "".
func Selects(matchers []Matcher, labels map[string]string) bool {
	for _, m := range matchers {
		if !m.Matches(labels[m.Name]) {
			return false
		}
	}
	return true
}
