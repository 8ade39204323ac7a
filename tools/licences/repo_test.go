package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// startEnv is the environment before a test points the go command at modules of its own.
var startEnv = os.Environ()

// samples is the folder of whole licence texts that the classifier is tested with. They are read from the module cache,
// so that no copy of the AGPL lies in this repository for others' scanners to find.
var samples = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/licensecheck")
	cmd.Env = startEnv
	dir, err := cmd.Output()
	return filepath.Join(strings.TrimSpace(string(dir)), "testdata"), err
})

// sample returns the whole text of a licence by its SPDX name.
func sample(t *testing.T, name string) string {
	t.Helper()
	if name == "BUSL-1.1" {
		return "Business Source License 1.1\n\nParameters\n\nLicensor: Example\nLicensed Work: Example 1.0\n" +
			"Additional Use Grant: None\nChange Date: 2030-01-01\nChange License: Apache License, Version 2.0\n"
	}
	dir, err := samples()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, name+".t1"))
	if err != nil {
		t.Fatal(err)
	}
	// The first lines say what the classifier is expected to find.
	_, licence, found := bytes.Cut(content, []byte("\n\n"))
	if !found {
		t.Fatalf("%s.t1 has no line between expectation and text", name)
	}
	return string(licence)
}

// files are contents by slash-separated path.
type files map[string]string

func (f files) write(t *testing.T, root string) {
	t.Helper()
	for name, content := range f {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// serve lets the go command find the modules, named path@version, and nothing else: in a module proxy of the test's
// own, whose folder it returns, with a module cache that is empty at first.
func serve(t *testing.T, modules map[string]files) (proxy string) {
	t.Helper()
	proxy = t.TempDir()
	for name, content := range modules {
		path, version, _ := strings.Cut(name, "@")
		gomod := "module " + path + "\n\ngo 1.26.0\n"
		source := t.TempDir()
		content.write(t, source)
		files{"go.mod": gomod, "code.go": "package code\n"}.write(t, source)
		var archive bytes.Buffer
		if err := zip.CreateFromDir(&archive, module.Version{Path: path, Version: version}, source); err != nil {
			t.Fatal(err)
		}
		files{
			path + "/@v/" + version + ".info": fmt.Sprintf(`{"Version": %q}`, version),
			path + "/@v/" + version + ".mod":  gomod,
			path + "/@v/" + version + ".zip":  archive.String(),
		}.write(t, proxy)
	}
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(proxy))
	t.Setenv("GOSUMDB", "off")
	t.Setenv("GOTOOLCHAIN", "local")
	t.Setenv("GOPRIVATE", "")
	t.Setenv("GONOPROXY", "")
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "-modcacherw") // so that the test can remove the cache
	return proxy
}

// requiring returns a go.mod that requires the modules, named path@version, the second and later ones indirectly.
func requiring(modules ...string) string {
	gomod := "module example.com/root\n\ngo 1.26.0\n\n"
	for i, name := range modules {
		gomod += "require " + strings.Replace(name, "@", " ", 1)
		if i > 0 {
			gomod += " // indirect"
		}
		gomod += "\n"
	}
	return gomod
}

// judgeRepo runs the gate over a repository of the files, with the entries as its file of known texts.
func judgeRepo(t *testing.T, entries string, repo files) result {
	t.Helper()
	root, known := t.TempDir(), filepath.Join(t.TempDir(), "known.yaml")
	repo.write(t, root)
	if err := os.WriteFile(known, []byte(entries), 0o644); err != nil {
		t.Fatal(err)
	}
	res, err := check(t.Context(), root, known)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// wantProblem fails unless the gate found one problem, which has every part.
func wantProblem(t *testing.T, res result, parts ...string) {
	t.Helper()
	if len(res.problems) != 1 {
		t.Fatalf("problems: %q, want one", res.problems)
	}
	for _, part := range parts {
		if !strings.Contains(res.problems[0], part) {
			t.Errorf("problem: %s\nwant it to name %q", res.problems[0], part)
		}
	}
}

// wantAccepted fails unless the gate found the licences and no problem.
func wantAccepted(t *testing.T, res result, licences map[string]int) {
	t.Helper()
	if len(res.problems) != 0 {
		t.Errorf("problems: %q, want none", res.problems)
	}
	if fmt.Sprint(res.licences) != fmt.Sprint(licences) {
		t.Errorf("licences: %v, want %v", res.licences, licences)
	}
}
