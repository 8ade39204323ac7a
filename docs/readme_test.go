package docs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadmeStaysShort(t *testing.T) {
	t.Parallel()
	if lines := strings.Count(readme(t), "\n"); lines >= 150 {
		t.Errorf("README.md has %d lines, and is to have less than 150: move something to docs", lines)
	}
}

func TestReadmeShowsTheQuickstart(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(filepath.Join(root, "examples", "quickstart", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(readme(t), "```go\n")
	shown, _, _ = strings.Cut(shown, "```\n")
	if _, code, _ := strings.Cut(string(program), "\n"); shown != code { // without the comment of the package
		t.Errorf("README.md shows\n%s\nand examples/quickstart/main.go is, below its comment,\n%s", shown, code)
	}
}

// The index of a page is the README.md beside it, or else that of docs.
func TestIndexNamesEveryPage(t *testing.T) {
	t.Parallel()
	for _, path := range pagesBelow(t, ".") {
		index := filepath.Join(filepath.Dir(path), "README.md")
		if _, err := os.Stat(index); err != nil || index == path {
			index = "README.md"
		}
		if index == path {
			continue
		}
		names := func(l linkTo) bool { return filepath.Join(filepath.Dir(index), l.target) == path }
		if !slices.ContainsFunc(readPage(t, index).links, names) {
			t.Errorf("docs/%s has no line about docs/%s", index, path)
		}
	}
}
