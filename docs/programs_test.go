package docs_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/pages"
)

const modulePath = "github.com/paddock-dev/audit"

// commandsOf returns the commands of a program on all pages, also those that are marked as not run.
func commandsOf(t *testing.T, program string) []pages.Command {
	t.Helper()
	return slices.DeleteFunc(commands(t), func(c pages.Command) bool { return c.Program() != program })
}

// words are those of a command behind its program, without a comment.
func words(c pages.Command) []string {
	text, _, _ := strings.Cut(c.Text, " #")
	fields := strings.Fields(text)
	return fields[slices.Index(fields, c.Program())+1:]
}

// makes returns why make cannot run a command. With -n it prints what it would run, and fails where it knows no target.
func makes(t *testing.T, c pages.Command) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(c.Text, "make ", "make -n ", 1))
	cmd.Dir = root
	// Without what a make that runs this test tells its children.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS") })
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

func TestMakeTargetsOfPagesExist(t *testing.T) {
	t.Parallel()
	for _, c := range commandsOf(t, "make") {
		if err := makes(t, c); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

func TestGoCommandsOfPagesNameWhatExists(t *testing.T) {
	t.Parallel()
	for _, c := range commandsOf(t, "go") {
		if c.Block == "sh" { // in another module, where the test of the page runs it
			continue
		}
		if err := wrongGo(t, c); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

// wrongGo returns what a go command names that is not there.
func wrongGo(t *testing.T, c pages.Command) error {
	t.Helper()
	args := words(c)
	dir := ""
	if args[0] == "-C" {
		dir, args = args[1], args[2:]
	}
	switch folder := named(dir, args); args[0] {
	case "doc":
		if len(args) == 1 {
			return nil // the name of the command alone
		}
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	case "test":
		return wrongTest(t, folder, args)
	case "run", "install":
		return wrongFlags(source(t, filepath.Join(folder, "*.go")), args)
	case "env":
		out, err := exec.CommandContext(t.Context(), "go", args...).Output()
		if err == nil && strings.TrimSpace(string(out)) == "" {
			err = errors.New("it prints nothing")
		}
		return err
	case "get":
		return wrongModule(folder, args[1:])
	case "mod", "tool":
		return nil
	default:
		return fmt.Errorf("nothing here knows how to check go %s", args[0])
	}
}

// named returns the folder of the package that a go command names.
func named(dir string, args []string) string {
	for _, word := range args[1:] {
		word, _, _ = strings.Cut(word, "@")
		if below, ok := strings.CutPrefix(word, modulePath); ok {
			return "." + below
		} else if strings.HasPrefix(word, ".") {
			return filepath.Join(dir, word)
		}
	}
	return "benchmarks/logfile" // where the page goes first
}

// wrongModule returns why a folder does not have the module that is wanted. Modules of others are required by this one, and
// wanted in a version that make test-newest takes.
func wrongModule(folder string, wanted []string) error {
	if len(wanted) == 0 {
		return nil
	}
	if path, version, found := strings.Cut(wanted[0], "@"); found && !strings.HasPrefix(path, modulePath) {
		return wrongRequirement(path, version, wanted[1:])
	}
	text, err := os.ReadFile(filepath.Join(root, folder, "go.mod"))
	if err == nil && !strings.Contains("\n"+string(text), "\nmodule "+wanted[0]+"\n") {
		err = fmt.Errorf("%s is another module", folder)
	}
	return err
}

func wrongRequirement(path, version string, more []string) error {
	for file, want := range map[string]string{"go.mod": "\t" + path + " v", "Makefile": " = " + version + "\n"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err == nil && !strings.Contains(string(text), want) {
			err = fmt.Errorf("%s has no %q", file, strings.TrimSpace(want))
		}
		if err != nil {
			return err
		}
	}
	return wrongModule("", more)
}

// wrongTest returns which tests or benchmarks of a go test there are not.
func wrongTest(t *testing.T, folder string, args []string) error {
	t.Helper()
	declared := tests(t, folder)
	if declared == "" {
		return fmt.Errorf("there are no tests in %s", folder)
	}
	for i, flag := range args {
		kind, ok := map[string]string{"-run": "Test", "-bench": "Benchmark"}[flag]
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(strings.Trim(args[i+1], "'^$"), "/")
		if name != "" && !regexp.MustCompile(`(?m)^func `+kind+`\w*`+strings.TrimPrefix(name, kind)).MatchString(declared) {
			return fmt.Errorf("%s has no %s %s", folder, strings.ToLower(kind), name)
		}
	}
	if slices.Contains(args, "-update") {
		return wrongFlags(declared, []string{"-update"})
	}
	return nil
}

var flagWord = regexp.MustCompile(`^--?[a-z][a-z-]*$`)

// wrongFlags returns which of the flags there is not in the source of a program.
func wrongFlags(program string, args []string) error {
	if program == "" {
		return errors.New("there is no such program")
	}
	for _, word := range args {
		if flag := strings.TrimLeft(word, "-"); flagWord.MatchString(word) && !strings.Contains(program, fmt.Sprintf("%q", flag)) {
			return fmt.Errorf("it has no flag %s", flag)
		}
	}
	return nil
}

func TestFlagsOfTheReaperInPagesExist(t *testing.T) {
	t.Parallel()
	program := source(t, filepath.Join("cmd", "audit-reaper", "*.go"))
	for _, c := range commandsOf(t, "audit-reaper") {
		if err := wrongFlags(program, words(c)); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

func TestCommandsThatNameNothingAreFound(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"go test ./docs -run TestOfNothing", "go test ./sinks/kube -bench 'OfNothing/a'", "go test ./nowhere", "go run ./nowhere", "go doc ./nowhere",
		"go run ./cmd/audit-reaper -no-such-flag", "go get " + modulePath + "/sinks/kube", "go get " + modulePath + "/nowhere", "go frobnicate",
		"go get k8s.io/client-go@v0.1.0", "go get k8s.io/client-go@v0.37.2 k8s.io/nothing@v0.37.2", "go env NOTHING",
	} {
		if err := wrongGo(t, pages.Command{Text: text}); err == nil {
			t.Errorf("%s is not found", text)
		}
	}
	for _, text := range []string{"make no-such-target", "make bin/no-such-program"} {
		if err := makes(t, pages.Command{Text: text}); err == nil {
			t.Errorf("%s is not found", text)
		}
	}
}
