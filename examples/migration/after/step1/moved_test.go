package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const old = "github.com/paddock-dev/audit/examples/migration/before"

// commands are the blocks of docs/migrating.md, with the paragraph before each.
var commands = regexp.MustCompile("(?s)\n\n((?:[^\n]+\n)+)\n```sh\n(.*?)```")

func TestCommandsOfThePageMakeStep1OfBefore(t *testing.T) {
	page := read(t, "../../../../docs/migrating.md")
	dir := copyOfBefore(t)
	blocks := commands.FindAllStringSubmatch(page, -1)
	if want := strings.Count(page, "```sh"); len(blocks) != want {
		t.Fatalf("%d of %d blocks have a paragraph before them", len(blocks), want)
	}
	ran := 0
	for _, block := range blocks {
		if strings.HasPrefix(block[1], "Not run here: ") {
			continue
		}
		ran++
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", block[2])
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "OLD="+old)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", block[2], err, out)
		}
	}
	if ran != 2 {
		t.Errorf("%d blocks ran, want the new paths and the checks", ran)
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
