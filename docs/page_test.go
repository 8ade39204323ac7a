package docs_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	fence     = regexp.MustCompile("^ *(```|~~~)")
	inCode    = regexp.MustCompile("`[^`\n]*(\n[^`\n]+)?`")
	heading   = regexp.MustCompile("^#{1,6} +(.+)$")
	labels    = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	link      = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)[^)]*\)`)
	reference = regexp.MustCompile(`(?m)^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)`)
	attribute = regexp.MustCompile(`<[a-z]+[^>]*\s(?:href|src|srcset)="([^"\s]+)`)
)

// linkTo is a link of a page, with its line.
type linkTo struct {
	line   int
	target string
}

// page is what matters of a Markdown page here.
type page struct {
	path    string
	anchors []string
	links   []linkTo
}

// pagesBelow returns the paths of all Markdown pages of a tree.
func pagesBelow(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == filepath.Join(dir, "bin") || entry.Name() == ".git"):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func readPage(t *testing.T, path string) page {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := page{path: path}
	prose := withoutFences(string(text))
	for line := range strings.Lines(prose) {
		if h := heading.FindStringSubmatch(strings.TrimSpace(line)); h != nil && line[0] == '#' {
			p.anchors = append(p.anchors, p.free(anchor(h[1])))
		}
	}
	prose = inCode.ReplaceAllStringFunc(prose, blank)
	for _, kind := range []*regexp.Regexp{link, reference, attribute} {
		for _, at := range kind.FindAllStringSubmatchIndex(prose, -1) {
			p.links = append(p.links, linkTo{1 + strings.Count(prose[:at[2]], "\n"), prose[at[2]:at[3]]})
		}
	}
	return p
}

// withoutFences empties the lines of fenced code, so that the numbers of the other lines stay.
func withoutFences(text string) string {
	var b strings.Builder
	inside := ""
	for line := range strings.Lines(text) {
		mark := strings.TrimSpace(fence.FindString(line))
		switch {
		case inside == "" && mark == "":
			b.WriteString(line)
			continue
		case inside == "":
			inside = mark
		case inside == mark:
			inside = ""
		}
		b.WriteString("\n")
	}
	return b.String()
}

// blank keeps the ends of the lines of a text, and nothing else.
func blank(text string) string {
	return strings.Repeat("\n", strings.Count(text, "\n"))
}

// anchor is the fragment that GitHub makes of a heading.
func anchor(title string) string {
	title = labels.ReplaceAllString(title, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, title)
}

// free returns the anchor with the number that tells it from earlier ones of the page.
func (p page) free(wanted string) string {
	name := wanted
	for n := 1; slices.Contains(p.anchors, name); n++ {
		name = fmt.Sprintf("%s-%d", wanted, n)
	}
	return name
}

// broken says which links of the page lead nowhere. What has a scheme, such as https, is left to its owner.
func (p page) broken(t *testing.T, tree string) (problems []string) {
	t.Helper()
	for _, l := range p.links {
		u, err := url.Parse(l.target)
		if err == nil && (u.Scheme != "" || u.Host != "") {
			continue
		}
		if err == nil {
			err = p.follow(t, tree, u)
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s:%d: %s: %v", p.path, l.line, l.target, err))
		}
	}
	return problems
}

// follow returns why a relative link leads nowhere, or nil.
func (p page) follow(t *testing.T, tree string, u *url.URL) error {
	t.Helper()
	target := p
	if u.Path != "" {
		path := filepath.Join(filepath.Dir(p.path), filepath.FromSlash(u.Path))
		inside, err := filepath.Rel(tree, path)
		if err != nil || filepath.IsAbs(u.Path) || !filepath.IsLocal(inside) {
			return fmt.Errorf("leads out of the repository")
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("no such file")
		}
		if u.Fragment == "" {
			return nil
		}
		if filepath.Ext(path) != ".md" {
			return fmt.Errorf("only a page has anchors")
		}
		target = readPage(t, path)
	}
	if !slices.Contains(target.anchors, u.Fragment) {
		return fmt.Errorf("no such heading: the page has %s", strings.Join(target.anchors, ", "))
	}
	return nil
}
