package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	rootMod   = "module example.com/lib\n\ngo 1.26.0\n"
	nestedMod = "module example.com/lib/sinks/nested\n\ngo 1.26.0\n\nrequire example.com/lib v0.2.0 // why\n\nreplace example.com/lib => ../..\n"
	toolMod   = "module example.com/lib/tools/x\n\ngo 1.26.0\n"
	changelog = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-11-26\n"
)

// releasable are the files of a tree that can be tagged v0.2.0.
func releasable() map[string]string {
	return map[string]string{
		"go.mod": rootMod, "sinks/nested/go.mod": nestedMod, "tools/x/go.mod": toolMod, "CHANGELOG.md": changelog,
	}
}

// commit makes a repository of the files, all committed.
func commit(t *testing.T, files map[string]string) repository {
	t.Helper()
	r := repository{t.TempDir()}
	for name, text := range files {
		write(t, filepath.Join(r.root, filepath.FromSlash(name)), text)
	}
	r.mustGit(t, "init", "--quiet")
	r.commitAll(t)
	return r
}

// commitAll commits what the tree has.
func (r repository) commitAll(t *testing.T) {
	t.Helper()
	r.mustGit(t, "add", "--all")
	r.mustGit(t, "commit", "--quiet", "--message", "state")
}

func (r repository) mustGit(t *testing.T, args ...string) string {
	t.Helper()
	out, err := r.git(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// tags returns the tags of the repository, separated by spaces.
func (r repository) tags(t *testing.T) string {
	t.Helper()
	return strings.Join(strings.Fields(r.mustGit(t, "tag", "--list")), " ")
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestMain(m *testing.M) {
	for name, value := range map[string]string{ // a git that knows nothing of the person who runs the tests
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull,
		"GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@example.com",
		"GIT_COMMITTER_NAME": "test", "GIT_COMMITTER_EMAIL": "test@example.com",
	} {
		os.Setenv(name, value)
	}
	for _, name := range []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"} { // set where git runs the tests, in a hook
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

func TestModulesOfOthersAreTaggedTogether(t *testing.T) {
	r := commit(t, releasable())
	out, err := run(t.Context(), options{root: r.root, version: "v0.2.0"})
	if err != nil {
		t.Fatal(err)
	}
	if tags, want := r.tags(t), "sinks/nested/v0.2.0 v0.2.0"; tags != want {
		t.Errorf("tags %q, want %q", tags, want)
	}
	for _, tag := range []string{"v0.2.0", "sinks/nested/v0.2.0"} {
		if at := r.mustGit(t, "rev-parse", tag+"^{commit}"); at != r.mustGit(t, "rev-parse", "HEAD") {
			t.Errorf("%s is at %s, not at HEAD", tag, at)
		}
	}
	if !strings.Contains(out, "git push --atomic origin v0.2.0 sinks/nested/v0.2.0\n") {
		t.Errorf("output:\n%s\nwant the command that publishes the tags", out)
	}
}

func TestDryRunPrintsCommandsThatTag(t *testing.T) {
	r := commit(t, releasable())
	out, err := run(t.Context(), options{root: r.root, version: "v0.2.0", dryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if tags := r.tags(t); tags != "" {
		t.Fatalf("a dry run made the tags %s", tags)
	}
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "git tag") {
			continue
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir = r.root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s%v: %s", line, err, out)
		}
	}
	if tags, want := r.tags(t), "sinks/nested/v0.2.0 v0.2.0"; tags != want {
		t.Errorf("the printed commands made the tags %q, want %q", tags, want)
	}
}

func TestRequireLinesAreSetBeforeTagging(t *testing.T) {
	files := releasable()
	files["CHANGELOG.md"] += "\n## [0.3.0] - 2026-12-01\n"
	r := commit(t, files)
	opts := options{root: r.root, version: "v0.3.0"}
	_, err := run(t.Context(), opts)
	if err == nil || !strings.Contains(err.Error(), "commit them") || !strings.Contains(err.Error(), "sinks/nested/go.mod") {
		t.Fatalf("error %v, want one that says to commit sinks/nested/go.mod", err)
	}
	text, err := os.ReadFile(filepath.Join(r.root, "sinks", "nested", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(nestedMod, "v0.2.0", "v0.3.0"); string(text) != want {
		t.Errorf("go.mod:\n%s\nwant:\n%s", text, want)
	}
	if tags := r.tags(t); tags != "" {
		t.Fatalf("tags %s before the change is committed", tags)
	}
	r.commitAll(t)
	if _, err := run(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	if tags, want := r.tags(t), "sinks/nested/v0.3.0 v0.3.0"; tags != want {
		t.Errorf("tags %q, want %q", tags, want)
	}
}

func TestWhatCannotBeTaggedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		version string // v0.2.0 when empty
		change  map[string]string
		dirty   string // a file that is not committed
		tagged  string // a tag that exists
		want    string
	}{
		"no version":       {version: "0.2.0", want: "not a version of a release"},
		"a short version":  {version: "v0.2", want: "not a version of a release"},
		"a build":          {version: "v0.2.0+x", want: "not a version of a release"},
		"a commit":         {version: "v0.0.0-20261126170000-0123456789ab", want: "not a version of a release"},
		"a second major":   {version: "v2.0.0", want: "major version"},
		"no changelog":     {change: map[string]string{"CHANGELOG.md": "## [0.2.0]\n"}, want: "CHANGELOG.md has no line"},
		"another version":  {change: map[string]string{"sinks/nested/go.mod": strings.Replace(nestedMod, "v0.2.0", "v0.1.0", 1)}, want: "requires example.com/lib@v0.1.0"},
		"no replace":       {change: map[string]string{"sinks/nested/go.mod": strings.Split(nestedMod, "replace")[0]}, want: "does not replace example.com/lib"},
		"another folder":   {change: map[string]string{"sinks/nested/go.mod": strings.Replace(nestedMod, "../..", "../../other", 1)}, want: "does not replace example.com/lib"},
		"a fork":           {change: map[string]string{"go.mod": rootMod + "\nreplace example.com/a => example.com/b v1.0.0\n"}, want: "replaces example.com/a"},
		"a tool":           {change: map[string]string{"go.mod": rootMod + "\nrequire example.com/lib/tools/x v0.2.0\n"}, want: "example.com/lib/tools/x, which is not released"},
		"a change":         {dirty: "CHANGELOG.md", want: "not clean"},
		"a new file":       {dirty: "new.go", want: "not clean"},
		"a tag":            {tagged: "v0.2.0", want: "the tag v0.2.0 exists"},
		"a tag below":      {tagged: "sinks/nested/v0.2.0", want: "the tag sinks/nested/v0.2.0 exists"},
		"a module without": {change: map[string]string{"sinks/nested/go.mod": "go 1.26.0\n"}, want: "names no module"},
	} {
		t.Run(name, func(t *testing.T) {
			files := releasable()
			for name, text := range c.change {
				files[name] = text
			}
			r := commit(t, files)
			if c.dirty != "" {
				write(t, filepath.Join(r.root, c.dirty), changelog+"more\n")
			}
			if c.tagged != "" {
				r.mustGit(t, "tag", c.tagged)
			}
			version := c.version
			if version == "" {
				version = "v0.2.0"
			}
			_, err := run(t.Context(), options{root: r.root, version: version, check: true})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if tags := r.tags(t); tags != c.tagged {
				t.Errorf("tags %q after a check, %q before", tags, c.tagged)
			}
		})
	}
}

func TestCheckOfAReleasableTreePasses(t *testing.T) {
	r := commit(t, releasable())
	if _, err := run(t.Context(), options{root: r.root, version: "v0.2.0", check: true}); err != nil {
		t.Error(err)
	}
	if tags := r.tags(t); tags != "" {
		t.Errorf("a check made the tags %s", tags)
	}
}

// A tag named sinks keeps git from making sinks/nested/v0.2.0, after it has made v0.2.0.
func TestFailedTagLeavesNoneBehind(t *testing.T) {
	r := commit(t, releasable())
	r.mustGit(t, "tag", "sinks")
	_, err := run(t.Context(), options{root: r.root, version: "v0.2.0"})
	if err == nil || !strings.Contains(err.Error(), "sinks/nested/v0.2.0") {
		t.Fatalf("error %v, want git's", err)
	}
	if tags := r.tags(t); tags != "sinks" {
		t.Errorf("tags %q, want only the one that was there", tags)
	}
}

func TestFolderWithoutModuleIsRefused(t *testing.T) {
	r := commit(t, map[string]string{"README.md": "text\n"})
	_, err := run(t.Context(), options{root: r.root, version: "v0.2.0"})
	if err == nil || !strings.Contains(err.Error(), "git tracks no go.mod") {
		t.Errorf("error %v, want one that says that there is no module", err)
	}
}

// What a clone has between releases is what the last release had, or what the next one is to have.
func TestNestedModulesRequireOneVersion(t *testing.T) {
	mods, err := repository{"../.."}.modules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lokiclient, found := mods.byPath(mods[0].path() + "/sinks/loki/lokiclient")
	if !found {
		t.Fatal("there is no module sinks/loki/lokiclient")
	}
	var version string
	for _, line := range lokiclient.file.Require {
		if line.Mod.Path == mods[0].path() {
			version = line.Mod.Version
		}
	}
	if err := checkVersion(mods, version); err != nil {
		t.Errorf("sinks/loki/lokiclient requires a version that is none of a release: %v", err)
	}
	for _, mod := range mods {
		for _, problem := range mod.problems(mods, version) {
			t.Error(problem)
		}
	}
}
