package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/paddock-dev/audit/internal/options"
)

// Problem is one thing that is wrong with a file, or worth a warning.
type Problem struct {
	// File as it was named by the caller.
	File string
	// Line in the file, from 1; 0 when the whole file is meant.
	Line int
	// Path of the key, as in "sinks.lake.url"; "" when the whole file is meant.
	Path string
	// Text says what is wrong and what to do about it. It never quotes a value.
	Text string
}

// String returns the problem as "audit.yaml:7: sinks.lake.url: is missing: ...".
func (p Problem) String() string {
	text := p.File
	if p.Line > 0 {
		text += ":" + strconv.Itoa(p.Line)
	}
	if p.Path != "" {
		text += ": " + p.Path
	}
	return text + ": " + p.Text
}

// FileError is the error of a file that cannot be used. It names everything that
// is wrong with it, not only the first thing.
type FileError struct {
	// Problems in the order of their lines; at least one. After the first 100, one more
	// says how many are left out.
	Problems []Problem
}

// Error returns the problems, one a line.
func (e *FileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxProblems is how many problems, and how many warnings, are reported of one file. A
// file of a megabyte can have a hundred thousand.
const maxProblems = 100

// report collects the problems of a file, or its warnings.
type report struct {
	file  string
	first []Problem
	all   int // how many there are, of which first has maxProblems at most
}

func (r *report) add(line int, path, format string, args ...any) {
	if !r.full() {
		r.first = append(r.first, Problem{File: r.file, Line: line, Path: path, Text: fmt.Sprintf(format, args...)})
	}
	r.all++
}

// full reports that further problems are only counted.
func (r *report) full() bool { return len(r.first) >= maxProblems }

// sorted returns the first problems in the order of their lines, and how many more there are.
func (r *report) sorted() []Problem {
	slices.SortStableFunc(r.first, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Text, b.Text))
	})
	if more := r.all - len(r.first); more > 0 {
		return append(r.first, Problem{File: r.file, Text: fmt.Sprintf("there are %d more: mend these first", more)})
	}
	return r.first
}

// At marks an error of Validate as being about one key of the Section, so that it is
// reported with the line of that key: At("http.basic_auth", err). It returns nil for
// nil. The error must not quote a value that may be secret.
func At(key string, err error) error {
	if err == nil {
		return nil
	}
	return &options.Error{Key: key, Err: err}
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_]([-_.A-Za-z0-9]*[A-Za-z0-9_])?$`)

// shown returns a name as messages print it. Other text is not printed: a value in the
// place of a key may be a secret.
func shown(name string) string {
	if len(name) <= 63 && plainName.MatchString(name) {
		return name
	}
	return "(not a name)"
}

// maxListed is how many names a message lists.
const maxListed = 50

// list prints names for a message: "a, b, c".
func list(names []string) string {
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > maxListed:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
	}
	return strings.Join(names, ", ")
}

// choice says what there is, and what name was probably meant to be. It is put together
// when a message is printed, because that takes its time.
type choice struct {
	name  string
	among []string
}

func (c choice) String() string {
	return options.Nearest(c.name, c.among) + ": there are " + list(c.among)
}
