package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const root = "../.."

// servers are what make tools builds, and the variable that names each when it is there already.
var servers = map[string]string{
	"etcd": "KUBEBUILDER_ASSETS", "kube-apiserver": "KUBEBUILDER_ASSETS", "kube-controller-manager": "KUBEBUILDER_ASSETS", "kubectl": "KUBEBUILDER_ASSETS",
	"victoria-logs": "VICTORIALOGS_BIN", "otelcol": "OTELCOL_BIN", "promtool": "PROMTOOL_BIN",
}

// checkout copies what make tools looks at. All of it is as new as it can be, as in a fresh checkout.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	paths := []string{"Makefile", "tools/otelcol/main.go"}
	for _, pattern := range []string{"tools/*/go.mod", "tools/*/go.sum"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			paths = append(paths, strings.TrimPrefix(path, root+"/"))
		}
	}
	for _, path := range paths {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, path), string(text))
	}
	return dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// plan returns what make tools would build in dir, by what it is built from, with these variables set.
func plan(t *testing.T, dir string, variables ...string) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", "-n", "tools")
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return strings.HasSuffix(name, "_BIN") || name == "KUBEBUILDER_ASSETS" || strings.HasPrefix(name, "MAKE") || name == "MFLAGS"
	})
	cmd.Env = append(cmd.Env, variables...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make -n tools: %v\n%s", err, out)
	}
	built := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if _, note, ok := strings.Cut(strings.TrimSpace(line), " && echo "); ok {
			from, to, _ := strings.Cut(note, " > bin/.")
			built[strings.TrimSuffix(to, ".from")] = from
		}
	}
	return built
}

func wantBuilt(t *testing.T, built map[string]string, want ...string) {
	t.Helper()
	for name := range servers {
		if _, ok := built[name]; ok != slices.Contains(want, name) {
			t.Errorf("that make tools builds %s is %t", name, ok)
		}
	}
}

func TestMakeBuildsWhatChangedWhateverItsTime(t *testing.T) {
	dir := checkout(t)
	all := plan(t, dir)
	wantBuilt(t, all, "etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "victoria-logs", "otelcol", "promtool")
	old := time.Now().Add(-24 * time.Hour)
	for name, from := range all { // as from a cache
		put(t, filepath.Join(dir, "bin", name), "")
		put(t, filepath.Join(dir, "bin", "."+name+".from"), from+"\n")
		if err := os.Chtimes(filepath.Join(dir, "bin", name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	wantBuilt(t, plan(t, dir))

	for path, name := range map[string]string{"tools/victorialogs/go.sum": "victoria-logs", "tools/otelcol/main.go": "otelcol"} {
		file := filepath.Join(dir, path)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		put(t, file, string(text)+"\n")
		if err := os.Chtimes(file, old.Add(-time.Hour), old.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		wantBuilt(t, plan(t, dir), name)
		put(t, file, string(text))
	}
	if err := os.Remove(filepath.Join(dir, "bin", "promtool")); err != nil {
		t.Fatal(err)
	}
	wantBuilt(t, plan(t, dir), "promtool")
}

func TestMakeBuildsNoServerThatIsNamed(t *testing.T) {
	dir, assets := checkout(t), t.TempDir()
	// The folders of envtest have kubectl, and no controller manager.
	put(t, filepath.Join(assets, "kubectl"), "")
	wantBuilt(t, plan(t, dir, "KUBEBUILDER_ASSETS="+assets), "kube-controller-manager", "victoria-logs", "otelcol", "promtool")
	put(t, filepath.Join(assets, "kube-controller-manager"), "")
	for _, variable := range []string{"KUBEBUILDER_ASSETS", "VICTORIALOGS_BIN", "OTELCOL_BIN", "PROMTOOL_BIN"} {
		var others []string
		for name, by := range servers {
			if by != variable {
				others = append(others, name)
			}
		}
		wantBuilt(t, plan(t, dir, variable+"="+assets), others...)
	}
}
