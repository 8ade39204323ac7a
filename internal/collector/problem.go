package collector

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxProblems is how many problems of a file are reported.
const maxProblems = 100

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// File as the caller named it.
	File string
	// Line in the file, from 1; 0 when the whole file is meant.
	Line int
	// Key as in "exporters.otlp_http.sending_queue"; "" when the whole file is meant.
	Key string
	// Text says what is wrong and what to do about it. It quotes no value but the names of components and of variables.
	Text string
}

// String returns the problem as "otelcol.yaml:7: exporters.otlp_http: is missing".
func (p Problem) String() string {
	text := p.File
	if p.Line > 0 {
		text += ":" + strconv.Itoa(p.Line)
	}
	if p.Key != "" {
		text += ": " + p.Key
	}
	return text + ": " + p.Text
}

// Error is the error of a configuration that cannot be judged. It names everything that is wrong.
type Error struct {
	// Problems in the order of their lines, at least one and at most 100.
	Problems []Problem
}

// Error returns the problems, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problem records what is wrong with the value at a path.
func (r *reader) problem(path []string, format string, args ...any) {
	r.problems = append(r.problems, Problem{r.file, r.line(path), strings.Join(path, "."), fmt.Sprintf(format, args...)})
}

// err returns the error of all problems, or nil.
func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Text, b.Text))
	})
	all := slices.Compact(r.problems)
	if more := len(all) - maxProblems; more > 0 {
		all = append(all[:maxProblems-1], Problem{File: r.file, Text: fmt.Sprintf("there are %d more problems: mend these first", more+1)})
	}
	return &Error{all}
}
