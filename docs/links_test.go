package docs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = ".." // of the repository

func TestEveryLinkOfEveryPageResolves(t *testing.T) {
	t.Parallel()
	paths := pagesBelow(t, root)
	if len(paths) < 50 {
		t.Fatalf("only %d pages are found", len(paths))
	}
	links := 0
	for _, path := range paths {
		p := readPage(t, path)
		links += len(p.links)
		for _, problem := range p.broken(t, root) {
			t.Error(problem)
		}
	}
	if links < 200 {
		t.Errorf("only %d links are found", links)
	}
}

// The check gets links of every kind that lead nowhere, beside links that resolve.
func TestLinksThatLeadNowhereAreFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "docs", "page.md")
	for name, text := range map[string]string{
		"other.md": "# Other\n\n## A *key*, `spool.New` & [more](other.md)\n\n## Twice\n\n## Twice\n\n```sh\n# no heading\n```\n",
		"code.go":  "package code\n",
		"docs/page.md": "# Page\n\n[a](../other.md), [b](../other.md#a-key-spoolnew--more), [c](../other.md#twice-1), [d](#page), [e](..),\n" +
			"[over two\nlines](../other.md), ![f](../code.go), [g](https://example.com/x#y), [h](mailto:a@example.com), `[i](nowhere)`\n\n" +
			"```go\nf[int](nowhere)\n```\n\n" +
			"m[j](../gone.md) and [![k](../gone.svg)](../gone.go)\n\n[ref]: ../gone.txt \"title\"\n\n<img src=\"../gone.png\">\n\n" +
			"[l](../other.md#no-heading) [m](#gone) [n](/other.md) [o](../code.go#L1) [p](../../outside.md) [q](../Other.md)\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var found []string
	for _, problem := range readPage(t, path).broken(t, dir) {
		found = append(found, strings.TrimPrefix(problem, path+":"))
	}
	want := []string{
		"11: ../gone.md: no such file",
		"11: ../gone.svg: no such file",
		"11: ../gone.go: no such file",
		"17: ../other.md#no-heading: no such heading: the page has other, a-key-spoolnew--more, twice, twice-1",
		"17: #gone: no such heading: the page has page",
		"17: /other.md: leads out of the repository",
		"17: ../code.go#L1: only a page has anchors",
		"17: ../../outside.md: leads out of the repository",
		"17: ../Other.md: no such file",
		"13: ../gone.txt: no such file",
		"15: ../gone.png: no such file",
	}
	if !slices.Equal(found, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(found, "\n"), strings.Join(want, "\n"))
	}
}
