package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/pages"
)

// misunderstood returns what auditctl does not understand of arguments. Those of a command within a text may be a part of
// what it needs.
func misunderstood(args []string, whole bool) error {
	root := newRoot(&environment{})
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	switch left := cmd.Flags().Args(); {
	case cmd.HasSubCommands() && len(left) > 0 && cmd.Name() != "completion":
		return fmt.Errorf("%s has no command %s", cmd.CommandPath(), left[0])
	case whole:
		return cmd.ValidateArgs(left)
	}
	return nil
}

// ends are what ends a command in a line of a shell.
var ends = regexp.MustCompile(` \|\| | \| | && |; | 2?> | < | # `)

// calls returns the arguments of each call of auditctl in a line, also of one as a plugin of kubectl.
func calls(line string) (all [][]string) {
	for _, part := range ends.Split(line, -1) {
		for _, name := range []string{"auditctl ", "kubectl audit-trail "} {
			if args, ok := strings.CutPrefix(strings.TrimSpace(part), name); ok {
				all = append(all, arguments(strings.Replace(args, "COMMAND", "get", 1)))
			}
		}
	}
	return all
}

// Most of them are run as well, by the tests that docs/commands_test.go lists.
func TestAuditctlKnowsTheCommandsOfPages(t *testing.T) {
	commands, err := pages.All("../..")
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for _, c := range commands {
		for _, args := range calls(c.Text) {
			known++
			if err := misunderstood(args, c.Block != pages.Inline); err != nil {
				t.Errorf("%s: %v", c, err)
			}
		}
	}
	if known < 150 {
		t.Errorf("only %d calls are found", known)
	}
}

func TestUnknownCommandsOfPagesAreFound(t *testing.T) {
	for line, whole := range map[string]bool{
		"auditctl frobnicate": false, "auditctl spool frobnicate": false, "auditctl get --decisions denied": false,
		"auditctl get --limit four": false, "auditctl spool list": true, "cat x | auditctl diff --no-such-flag - y": true,
	} {
		for _, args := range calls(line) {
			if misunderstood(args, whole) == nil {
				t.Errorf("%s is understood", line)
			}
		}
		if len(calls(line)) != 1 {
			t.Errorf("%s has the calls %q", line, calls(line))
		}
	}
}

// only returns the one command in a block of a page that begins with a text.
func only(t *testing.T, page, block, begin string) pages.Command {
	t.Helper()
	commands, err := pages.Of("../..", page)
	if err != nil {
		t.Fatal(err)
	}
	commands = slices.DeleteFunc(commands, func(c pages.Command) bool { return c.Block != block || !strings.HasPrefix(c.Text, "auditctl ") })
	if len(commands) != 1 || !strings.HasPrefix(commands[0].Text, begin) {
		t.Fatalf("%s has the commands %q in blocks of %s, want one that begins with %s: write a test for the others", page, commands, block, begin)
	}
	return commands[0]
}

// The page shows a trail of which one event was edited and another one deleted.
func TestVerifyPrintsWhatThePageShows(t *testing.T) {
	c := only(t, "docs/auditctl.md", "text", "auditctl verify --trust trust.yaml audit.log")
	s := newSealedTrail(t, 12)
	trust, err := os.ReadFile(s.trust)
	if err != nil {
		t.Fatal(err)
	}
	s.put(t, s.trust, strings.Replace(string(trust), "name: root", "name: prod", 1))
	changed := s.change(t, func(lines []string) []string {
		edited, deleted := s.at(lines, 6), s.at(lines, 3)
		lines[edited] = strings.Replace(lines[edited], "host-", "evil-", 1)
		return slices.Delete(lines, deleted, deleted+1)
	})
	if err := os.Rename(changed, s.log); err != nil {
		t.Fatal(err)
	}
	t.Chdir(s.dir)
	// How many checkpoints there are, and which index an event has, depends on how fast the trail was written.
	anyCount := func(out string) string { return regexp.MustCompile(`\d+`).ReplaceAllString(ofAnyRun(out), "N") }
	code, out, errOut := auditctl(t, calls(c.Text)[0]...)
	if code != 1 || errOut != "" || anyCount(out) != anyCount(c.Output) {
		t.Errorf("%s: %d, it prints\n%s%s\nand the page has\n%s", c, code, out, errOut, c.Output)
	}
}

// The page leaves the most of each hash out. Its second line is the value, which is typed.
func TestRedactHashPrintsWhatThePageShows(t *testing.T) {
	c := only(t, "docs/redaction.md", "console", "auditctl redact hash")
	page, err := os.ReadFile("../../docs/redaction.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	for id, fill := range map[string]string{"2026-1": "a", "2026-2": "b"} {
		write(t, id, strings.Repeat(fill, 32)+"\n")
	}
	_, configured, _ := strings.Cut(string(page), "```yaml\n")
	configured, _, _ = strings.Cut(configured, "```")
	write(t, "audit.yaml", "apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\nsinks: {everywhere: {type: kube}}\n"+
		strings.ReplaceAll(configured, "/etc/audit/keys", filepath.ToSlash(dir)))
	value, want, _ := strings.Cut(c.Output, "\n")
	code, out, errOut := auditctlIn(t, &environment{in: strings.NewReader(value + "\n")}, calls(c.Text)[0]...)
	short := regexp.MustCompile(`(hmac\.[0-9-]+\.[0-9a-f]{6})[0-9a-f]{26} `).ReplaceAllString(out, "$1… ")
	if code != 0 || errOut != "" || short != want {
		t.Errorf("%s: %d, it prints\n%s%s\nand the page has\n%s", c, code, short, errOut, want)
	}
	for _, hash := range regexp.MustCompile(`hmac\.[0-9-]+\.[0-9a-f]{6}…`).FindAllString(string(page), -1) {
		if !strings.Contains(want, hash) {
			t.Errorf("the page searches for %s, which the command does not print", hash)
		}
	}
}
