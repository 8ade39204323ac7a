// Package guides_test holds the guides to their examples: what a page shows of Go is in the example beside it, and what it
// shows as printed is what the example prints. cmd/auditctl runs the commands of the pages.
package guides_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// blocks are the code blocks of a page, with their language.
var blocks = regexp.MustCompile("(?s)\n```([a-z]+)\n(.*?\n)```\n")

// shown returns the blocks of a language.
func shown(page, language string) (texts []string) {
	for _, block := range blocks.FindAllStringSubmatch(page, -1) {
		if block[1] == language {
			texts = append(texts, block[2])
		}
	}
	return texts
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// outputs returns what the examples of a file print.
func outputs(t *testing.T, path string) (texts []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range doc.Examples([]*ast.File{file}...) {
		if e.Output == "" {
			t.Errorf("%s: Example%s compares no output", path, e.Name)
		}
		texts = append(texts, e.Output)
	}
	return texts
}

func TestGoOfPagesIsInTheirExamples(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, path := range pages {
		page := read(t, path)
		code := shown(page, "go")
		if len(code) == 0 {
			continue
		}
		checked++
		example := strings.TrimSuffix(path, ".md") + "_test.go"
		source := read(t, example)
		for _, block := range code {
			if !strings.Contains(source, block) {
				t.Errorf("%s does not have this of %s:\n%s", example, path, block)
			}
		}
		printed := shown(page, "text")
		for i, text := range printed {
			printed[i] = strings.TrimSuffix(text, "\n")
		}
		var want []string
		for _, text := range outputs(t, example) {
			want = append(want, strings.TrimSuffix(text, "\n"))
		}
		if !slices.Equal(printed, want) {
			t.Errorf("%s shows as printed\n%q\nand the examples print\n%q", path, printed, want)
		}
	}
	if checked != 4 {
		t.Errorf("%d pages show Go, want 4", checked)
	}
}
