package auditing_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// step is a row of the tables: ... | `function` | file |
var step = regexp.MustCompile("(?m)\\| `([A-Za-z.]+)` \\| ([a-z0-9/_.]+\\.go) \\|$")

func TestArchitecturePageNamesFunctionsThatExist(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := step.FindAllStringSubmatch(string(page), -1)
	if len(steps) < 20 {
		t.Fatalf("%d steps are found", len(steps))
	}
	for _, s := range steps {
		code, err := os.ReadFile(filepath.Join("..", s[2]))
		if err != nil {
			t.Error(err)
			continue
		}
		receiver, name, isMethod := strings.Cut(s[1], ".")
		declared := `(?m)^func ` + s[1] + `\(`
		if isMethod {
			declared = `(?m)^func \(\w+ \*?` + receiver + `(\[\w+\])?\) ` + name + `\(`
		}
		if !regexp.MustCompile(declared).Match(code) {
			t.Errorf("%s does not declare %s", s[2], s[1])
		}
	}
}
