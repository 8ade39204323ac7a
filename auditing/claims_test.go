package auditing_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	claimedTest = regexp.MustCompile("`([a-z0-9/-]+)\\.((?:Test|Fuzz|Example)\\w*)`")
	anyTest     = regexp.MustCompile(`\b(?:Test|Fuzz|Example)[A-Z]\w*`)
	pageLink    = regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	heading     = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noAnchor    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// The pages claim what the library withstands, and each claim names its test or the section of a page.
func TestClaimsNameTestsAndSectionsThatExist(t *testing.T) {
	for _, page := range []string{"../docs/threat-model.md", "../docs/controls.md"} {
		text := mustRead(t, page)
		tests := claimedTest.FindAllStringSubmatch(text, -1)
		if len(tests) < 20 {
			t.Errorf("%s names %d tests", page, len(tests))
		}
		for _, c := range tests {
			if !declares(t, c[1], c[2]) {
				t.Errorf("%s names %s, and no test in %s is called so", page, c[2], c[1])
			}
		}
		for _, name := range anyTest.FindAllString(claimedTest.ReplaceAllString(text, ""), -1) {
			if !strings.Contains(text, "-run "+name) {
				t.Errorf("%s names %s without its package", page, name)
			}
		}
		for _, link := range pageLink.FindAllStringSubmatch(text, -1) {
			checkSection(t, page, link[1], link[2])
		}
		checkRows(t, page, text)
	}
}

// declares reports whether a test of a package has a name.
func declares(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob("../" + folder + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func ` + name + `\(`)
	for _, file := range files {
		if declared.MatchString(mustRead(t, file)) {
			return true
		}
	}
	return false
}

// checkSection tests that what a page links to has such a heading.
func checkSection(t *testing.T, page, target, section string) {
	t.Helper()
	path := page
	if target != "" {
		path = filepath.Join(filepath.Dir(page), target)
	}
	text := mustRead(t, path)
	if section == "" {
		return
	}
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		anchor := strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")
		if anchor == section {
			return
		}
	}
	t.Errorf("%s links to %s#%s, which is no section there", page, target, section)
}

// checkRows tests that each row of a table whose last column is "shown by" names a test or a section.
func checkRows(t *testing.T, page, text string) {
	t.Helper()
	claims, inTable := 0, false
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		last := cells[len(cells)-1]
		switch {
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case last == "shown by |":
			inTable = true
		case inTable && !strings.HasPrefix(line, "| ---"):
			claims++
			if !claimedTest.MatchString(last) && !pageLink.MatchString(last) {
				t.Errorf("%s: nothing shows %s", page, line)
			}
		}
	}
	if claims == 0 {
		t.Errorf("%s has no table of claims", page)
	}
}
