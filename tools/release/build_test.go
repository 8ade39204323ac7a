// Building the programs compiles all that they link anew, which takes minutes: make release-check does it.
//go:build outside

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// See TestAProgramOutsideFindsEveryPackageAtTheTags, which stops short of this.
func TestProgramsOutsideBuildAgainstTheTags(t *testing.T) {
	tree := copyOfTree(t)
	mods := release(t, tree)
	proxy := publish(t, tree, mods)
	env := outside(t, proxy, mods[0].path())

	t.Run("root", func(t *testing.T) {
		p := program{dir: t.TempDir(), env: env, tree: tree}
		p.build(t, mods[:1], "testdata/outside")
		p.wantOutput(t, "log", "kube", "loki", "ledger", "config")
		p.run(t, "go", "mod", "tidy")
	})
	// Not tidied here: that also looks at what tests of lokiclient's many dependencies need, which no module cache has yet.
	t.Run("all", func(t *testing.T) {
		p := program{dir: t.TempDir(), env: env, tree: tree}
		p.build(t, mods, "testdata/outside", "testdata/nested")
		p.wantOutput(t, "log", "kube", "loki", "ledger", "config", "lokiclient", "auditgrpc")
	})
}

// build builds a program of the folders' files, and logs what it is made of.
func (p program) build(t *testing.T, mods modules, folders ...string) {
	t.Helper()
	p.write(t, mods, folders...)
	p.run(t, "go", "build", "-o", "trial", ".")

	linked := p.run(t, "go", "version", "-m", "trial")
	for _, mod := range mods {
		if want := "\n\tdep\t" + mod.path() + "\t" + outsideVersion + "\t"; !strings.Contains(linked, want) {
			t.Errorf("the program is not built with %s %s:\n%s", mod.path(), outsideVersion, linked)
		}
	}
	binary, err := os.Stat(filepath.Join(p.dir, "trial"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d modules linked, a binary of %.1f MiB",
		strings.Count(linked, "\n\tdep\t"), float64(binary.Size())/(1<<20))
}

// wantOutput fails unless the program says of each destination that the event arrived there.
func (p program) wantOutput(t *testing.T, names ...string) {
	t.Helper()
	want := strings.Join(names, ": the event arrived\n") + ": the event arrived\n"
	if got := p.run(t, filepath.Join(p.dir, "trial")); got != want {
		t.Errorf("the program prints:\n%s\nwant:\n%s", got, want)
	}
}
