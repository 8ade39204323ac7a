package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/zip"
)

const (
	outsideVersion = "v0.1.0"
	// patience is how long a command may take: with empty caches it fetches and compiles Kubernetes' clients.
	patience = 10 * time.Minute
)

// A program outside the repository takes the modules from a module proxy, where no replace line and no file of the working
// tree helps it. The proxy has what the tags of the release have, and the tags are made by run. This finds every package
// that the program links, down to the last, and compiles none.
func TestAProgramOutsideFindsEveryPackageAtTheTags(t *testing.T) {
	tree := copyOfTree(t)
	mods := release(t, tree)
	p := program{dir: t.TempDir(), env: outside(t, publish(t, tree, mods), mods[0].path()), tree: tree}
	p.write(t, mods, "testdata/outside", "testdata/nested")
	p.run(t, "go", "list", "-deps", ".")
	for _, mod := range mods {
		if got := strings.TrimSpace(p.run(t, "go", "list", "-m", "-f", "{{.Version}} {{.Replace}}", mod.path())); got != outsideVersion+" <nil>" {
			t.Errorf("%s is taken at %s, want %s from the proxy", mod.path(), got, outsideVersion)
		}
	}
}

// copyOfTree returns a repository whose only commit is the working tree, with what is not committed yet.
func copyOfTree(t *testing.T) repository {
	t.Helper()
	here := repository{"../.."}
	names := here.mustGit(t, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	files := map[string]string{}
	for name := range strings.SplitSeq(strings.Trim(names, "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(here.root, filepath.FromSlash(name)))
		if os.IsNotExist(err) {
			continue // removed, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	return commit(t, files)
}

// release tags the tree as its maintainers would, and returns the modules that are released, the root first.
func release(t *testing.T, tree repository) modules {
	t.Helper()
	mods, err := tree.modules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mods.require(outsideVersion); err != nil {
		t.Fatal(err)
	}
	noted, err := tree.changelogHas(outsideVersion)
	if err != nil {
		t.Fatal(err)
	}
	if !noted {
		name := filepath.Join(tree.root, "CHANGELOG.md")
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, name, string(text)+"\n## [0.1.0] - 2026-01-01\n")
	}
	if tree.mustGit(t, "status", "--porcelain") != "" {
		tree.commitAll(t)
	}
	if _, err := run(t.Context(), options{root: tree.root, version: outsideVersion}); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(mods, func(m goModule) bool { return !m.released() })
}

// publish makes a module proxy of files, with what each module has at its tag, and returns its folder.
func publish(t *testing.T, tree repository, mods modules) (proxy string) {
	t.Helper()
	proxy = t.TempDir()
	for _, mod := range mods {
		escaped, err := module.EscapePath(mod.path())
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Join(proxy, filepath.FromSlash(escaped), "@v", outsideVersion)
		write(t, base+".info", fmt.Sprintf(`{"Version": %q}`, outsideVersion))
		write(t, base+".mod", tree.mustGit(t, "show", mod.tag(outsideVersion)+":./"+filepath.ToSlash(filepath.Join(mod.dir, "go.mod")))+"\n")
		archive, err := os.Create(base + ".zip")
		if err != nil {
			t.Fatal(err)
		}
		subdir := strings.TrimPrefix(mod.dir, ".")
		if err := zip.CreateFromVCS(archive, module.Version{Path: mod.path(), Version: outsideVersion}, tree.root, mod.tag(outsideVersion), subdir); err != nil {
			t.Fatal(err)
		}
		size, err := archive.Seek(0, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := archive.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s %s: zip of %d KiB", mod.path(), outsideVersion, size>>10)
	}
	return proxy
}

// outside returns the environment of programs that take the library from the proxy. They have a module cache of their
// own, so that the released versions never get into that of the machine, and fill it from there where they can.
func outside(t *testing.T, proxy, library string) []string {
	t.Helper()
	settings, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	machine := strings.Split(string(settings), "\n")
	cached := filepath.Join(machine[0], "cache", "download")
	return append(os.Environ(),
		"GOPROXY="+fileURL(proxy)+","+fileURL(cached)+","+machine[1],
		"GOMODCACHE="+t.TempDir(),
		"GONOSUMDB="+library, // no checksum database knows these versions
		"GOPRIVATE=", "GONOPROXY=", "GOWORK=off", "GOTOOLCHAIN=local",
		// The caches of modules differ between runs. Trimmed of their paths, builds are found in the build cache again.
		"GOFLAGS=-trimpath -modcacherw",
	)
}

func fileURL(dir string) string { return "file://" + filepath.ToSlash(dir) }

// program is one that imports the library, in a folder of its own.
type program struct {
	dir  string
	env  []string
	tree repository
}

// write makes a module of the folders' files that requires the modules.
func (p program) write(t *testing.T, mods modules, folders ...string) {
	t.Helper()
	for _, folder := range folders {
		if err := os.CopyFS(p.dir, os.DirFS(folder)); err != nil {
			t.Fatal(err)
		}
	}
	p.writeModule(t, mods)
	p.run(t, "go", "get", ".")
}

// writeModule writes a go.mod that requires the modules and what they require, so that the go command need not fetch
// modules that no module cache has yet to see whether a package is in them as well. What go.sum has from the repository
// need not be verified by a checksum database again.
func (p program) writeModule(t *testing.T, mods modules) {
	t.Helper()
	versions, sums := map[string]string{}, ""
	for _, mod := range mods {
		text, err := os.ReadFile(filepath.Join(p.tree.root, mod.dir, "go.sum"))
		if err != nil {
			t.Fatal(err)
		}
		sums += string(text)
		versions[mod.path()] = outsideVersion
		for _, line := range mod.file.Require {
			versions[line.Mod.Path] = later(versions[line.Mod.Path], line.Mod.Version)
		}
	}
	gomod := "module example.com/trial\n\ngo 1.26.0\n\n"
	for path, version := range versions {
		gomod += "require " + path + " " + version + "\n"
	}
	write(t, filepath.Join(p.dir, "go.mod"), gomod)
	write(t, filepath.Join(p.dir, "go.sum"), sums)
}

func later(a, b string) string {
	if semver.Compare(a, b) < 0 {
		return b
	}
	return a
}

// run runs a command in the program's folder and returns what it wrote to its output.
func (p program) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	start := time.Now()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, &stderr)
	}
	t.Logf("%s: %.1f s", strings.Join(append([]string{filepath.Base(name)}, args...), " "), time.Since(start).Seconds())
	return string(out)
}
