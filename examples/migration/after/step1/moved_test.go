package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/paddock-dev/audit/internal/pages"
)

const old = "github.com/paddock-dev/audit/examples/migration/before"

// The commands of kubectl are run by the tests of deploy/deploytest, and what is marked in the page is not run.
func TestCommandsOfThePageMakeStep1OfBefore(t *testing.T) {
	commands, err := pages.Of("../../../..", "docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := copyOfBefore(t)
	ran := 0
	for _, c := range commands {
		if c.Block != "sh" || c.NotRun != "" || c.Program() == "kubectl" {
			continue
		}
		ran++
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", c.Text)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "OLD="+old)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", c, err, out)
		}
	}
	if ran != 4 {
		t.Errorf("%d commands ran, want the new paths, the end of the old package, and two checks", ran)
	}
	for _, name := range []string{"main.go", "broker.go", "broker_test.go"} {
		if got, want := read(t, filepath.Join(dir, name)), read(t, name); got != want {
			t.Errorf("%s of step1 is not what the commands make of before", name)
		}
	}
}

// copyOfBefore is before with this library required, as go get leaves it.
func copyOfBefore(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../before")); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	module := []byte(read(t, "../go.mod"))
	module = bytes.Replace(module, []byte("=> ../../.."), []byte("=> "+root), 1)
	module = regexp.MustCompile(`(?m)^module .*$`).ReplaceAll(module, []byte("module "+old))
	for name, text := range map[string]string{"go.mod": string(module), "go.sum": read(t, "../go.sum")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
