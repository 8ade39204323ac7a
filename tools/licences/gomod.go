package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// goMod is one go.mod of the repository.
type goMod struct {
	module   string // the path of the module
	file     string // its slash-separated path in the repository
	dir      string // the folder it is in
	requires []required
}

// required is what one require line brings in, after the replace lines.
type required struct {
	module.Version        // the version is empty for a folder
	dir            string // the folder that replaces the module, or empty
}

// String returns the module and its version as a message names them.
func (r required) String() string {
	if r.dir != "" {
		return r.Path + " (replaced by " + r.dir + ")"
	}
	return r.Path + " " + r.Version.Version
}

// readGoMods reads every go.mod below root. A require line for one of the project's own modules, replaced by its folder
// in the repository, is left out: it is under the repository's LICENSE, and its require lines are read from its go.mod.
func readGoMods(root string) ([]goMod, error) {
	var mods []goMod
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".git":
			return filepath.SkipDir
		case entry.IsDir() || entry.Name() != "go.mod":
			return nil
		}
		mod, err := readGoMod(root, path)
		if err != nil {
			return err
		}
		mods = append(mods, mod)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find the go.mod files in %s: %w", root, err)
	}
	if len(mods) == 0 {
		return nil, fmt.Errorf("find the go.mod files in %s: there is none: name the root of the source tree", root)
	}
	for i := range mods {
		mods[i].requires = slices.DeleteFunc(mods[i].requires, func(r required) bool { return isOwn(r, mods) })
	}
	return mods, nil
}

// isOwn reports whether the module is the project's own: a folder of the repository whose module path is below that of
// the go.mod at the root. A copy of somebody else's module keeps its path.
func isOwn(r required, mods []goMod) bool {
	root := slices.IndexFunc(mods, func(mod goMod) bool { return mod.file == "go.mod" })
	return root >= 0 && strings.HasPrefix(r.Path+"/", mods[root].module+"/") &&
		slices.ContainsFunc(mods, func(mod goMod) bool { return mod.dir == r.dir && mod.module == r.Path })
}

func readGoMod(root, path string) (goMod, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return goMod{}, err
	}
	parsed, err := modfile.Parse(path, text, nil)
	if err != nil {
		return goMod{}, err
	}
	if parsed.Module == nil {
		return goMod{}, errors.New(path + " names no module")
	}
	file, err := filepath.Rel(root, path)
	if err != nil {
		return goMod{}, err
	}
	mod := goMod{module: parsed.Module.Mod.Path, file: filepath.ToSlash(file), dir: filepath.Dir(path)}
	for _, line := range parsed.Require {
		mod.requires = append(mod.requires, replaced(line.Mod, parsed.Replace, mod.dir))
	}
	return mod, nil
}

// replaced returns what is used for a module after the replace lines of the go.mod in dir. A line for the one version
// goes before a line for all.
func replaced(m module.Version, lines []*modfile.Replace, dir string) required {
	found := m
	for _, line := range lines {
		if line.Old == m {
			found = line.New
			break
		}
		if line.Old == (module.Version{Path: m.Path}) {
			found = line.New
		}
	}
	if !modfile.IsDirectoryPath(found.Path) {
		return required{Version: found}
	}
	folder := filepath.FromSlash(found.Path)
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(dir, folder)
	}
	return required{Version: module.Version{Path: m.Path}, dir: filepath.Clean(folder)}
}
