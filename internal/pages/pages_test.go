package pages_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/pages"
)

// found returns the commands of a page with this text.
func found(t *testing.T, text string) ([]pages.Command, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.md"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return pages.Of(dir, "page.md")
}

func TestCommandsOfEveryKindOfBlockAreFound(t *testing.T) {
	commands, err := found(t, "# Page\n\nText with `make lint`, `auditctl`, `FOO=1 go test\n./docs` and\n    no block.\n\n"+
		"    make test   # all\n\n    X=1 A=b go vet\n\n<!-- not run: needs a cluster -->\n\n    kubectl get\n\n    kubectl top\n\n"+
		"```sh\n# no command\nfor x; do\\\n  y\nsed\n```\n\n<!-- not run: slow -->\n```console\n$ auditctl get\none\n\ntwo\n$ cat x | auditctl get -\n```\n\n"+
		"```text\n$ x\ny\n```\n```text\nno command\n```\n\n```yaml\n$ no: command\n```\n\n| `go run A\\|B` |\n")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range commands {
		got = append(got, fmt.Sprintf("%d %s %s %q %q %s", c.Line, c.Block, c.Program(), c.Text, c.Output, c.NotRun))
	}
	want := []string{
		`7 indented make "make test   # all" "" `,
		`9 indented go "X=1 A=b go vet" "" `,
		`13 indented kubectl "kubectl get" "" needs a cluster`,
		`15 indented kubectl "kubectl top" "" needs a cluster`,
		`19 sh for "for x; do\\\n  y" "" `,
		`21 sh sed "sed" "" `,
		`26 console auditctl "auditctl get" "one\n\ntwo\n" slow`,
		`30 console cat "cat x | auditctl get -" "" slow`,
		`34 text x "x" "y\n" `,
		`3 inline make "make lint" "" `,
		`3 inline go "FOO=1 go test ./docs" "" `,
		`45 inline go "go run A|B" "" `,
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBlocksThatHideCommandsAreErrors(t *testing.T) {
	for text, want := range map[string]string{
		"```bash\nmake\n```\n":                   `page.md:1: the fence has the language "bash"`,
		"```\nmake\n```\n":                       `page.md:1: the fence has the language ""`,
		"```sh\nmake\n":                          "page.md: the last fence is not closed",
		"<!-- not run: -->\n\n    make\n":        "page.md:1: the mark says no reason",
		"<!-- not run: slow -->\n\nText\n":       `page.md:3: the mark "not run: slow" is in front of no block`,
		"    make\n\n<!-- not run: slow -->\n\n": `page.md: the mark "not run: slow" is in front of no block`,
	} {
		if commands, err := found(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, error %v, want %q", text, commands, err, want)
		}
	}
}
