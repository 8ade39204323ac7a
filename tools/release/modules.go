package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// goModule is one module of the source tree.
type goModule struct {
	dir  string // its slash-separated folder in the tree, "." for the root
	name string // the file name of its go.mod
	file *modfile.File
}

// modules are all modules of the source tree, the root first.
type modules []goModule

// notReleased are the folders of modules that nobody imports. Modules in a folder named internal are not released either.
var notReleased = []string{"benchmarks", "deploy", "examples", "tools"}

// modules reads every go.mod that git tracks.
func (r repository) modules(ctx context.Context) (modules, error) {
	names, err := r.git(ctx, "ls-files", "-z", "--", "go.mod", "*/go.mod")
	if err != nil {
		return nil, err
	}
	var mods modules
	for name := range strings.SplitSeq(strings.TrimSuffix(names, "\x00"), "\x00") {
		if name == "" {
			break
		}
		mod := goModule{dir: path.Dir(name), name: filepath.Join(r.root, filepath.FromSlash(name))}
		text, err := os.ReadFile(mod.name)
		if err != nil {
			return nil, err
		}
		if mod.file, err = modfile.Parse(name, text, nil); err != nil {
			return nil, err
		}
		if mod.file.Module == nil {
			return nil, fmt.Errorf("%s names no module", name)
		}
		mods = append(mods, mod)
	}
	slices.SortFunc(mods, func(a, b goModule) int { return strings.Compare(a.dir, b.dir) }) // "." is first
	if len(mods) == 0 || mods[0].dir != "." {
		return nil, errors.New("git tracks no go.mod in " + r.root + ": name the root of the source tree")
	}
	return mods, nil
}

func (m goModule) path() string { return m.file.Module.Mod.Path }

// tag returns the tag by which the go command finds the version.
func (m goModule) tag(version string) string { return path.Join(m.dir, version) }

// released reports whether programs outside this repository can import the module.
func (m goModule) released() bool {
	folders := strings.Split(m.dir, "/")
	return !slices.Contains(notReleased, folders[0]) && !slices.Contains(folders, "internal")
}

// byPath returns the module of that path.
func (ms modules) byPath(modPath string) (mod goModule, found bool) {
	i := slices.IndexFunc(ms, func(m goModule) bool { return m.path() == modPath })
	if i < 0 {
		return goModule{}, false
	}
	return ms[i], true
}

// require lets every module require the others at the version, and returns the files that it changed.
func (ms modules) require(version string) (changed []string, err error) {
	for _, mod := range ms {
		before := modfile.Format(mod.file.Syntax)
		for _, line := range mod.file.Require {
			if _, own := ms.byPath(line.Mod.Path); own {
				if err := mod.file.AddRequire(line.Mod.Path, version); err != nil {
					return changed, err
				}
			}
		}
		after := modfile.Format(mod.file.Syntax)
		if bytes.Equal(before, after) {
			continue
		}
		if err := os.WriteFile(mod.name, after, 0o644); err != nil {
			return changed, err
		}
		changed = append(changed, path.Join(mod.dir, "go.mod"))
	}
	return changed, nil
}
