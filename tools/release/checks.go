package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// checkVersion says why no module could have the version.
func checkVersion(mods modules, version string) error {
	if !semver.IsValid(version) || module.CanonicalVersion(version) != version || module.IsPseudoVersion(version) {
		return fmt.Errorf("%q is not a version of a release: give one such as v0.1.0 or v0.2.0-rc.1", version)
	}
	for _, mod := range mods {
		if !mod.released() {
			continue
		}
		if err := module.Check(mod.path(), version); err != nil {
			return fmt.Errorf("the path of a module has to end in the major version from v2 on: %w", err)
		}
	}
	return nil
}

// problems returns each reason for which the version cannot be tagged.
func (r repository) problems(ctx context.Context, mods modules, version string, tags []string) (problems []string, err error) {
	for _, mod := range mods {
		problems = append(problems, mod.problems(mods, version)...)
	}
	noted, err := r.changelogHas(version)
	if err != nil {
		return nil, err
	}
	if !noted {
		problems = append(problems, fmt.Sprintf("CHANGELOG.md has no line %q with a date: turn Unreleased into that section",
			"## ["+strings.TrimPrefix(version, "v")+"] - YYYY-MM-DD"))
	}
	status, err := r.git(ctx, "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(status) {
		problems = append(problems, "the tree is not clean, so commit or remove it: "+strings.TrimSuffix(line, "\n"))
	}
	for _, tag := range tags {
		found, err := r.git(ctx, "tag", "--list", tag)
		if err != nil {
			return nil, err
		}
		if found != "" {
			problems = append(problems, "the tag "+tag+" exists: a version that was published never changes, so take the next one")
		}
	}
	return problems, nil
}

// problems returns what is wrong with the module's require and replace lines.
func (m goModule) problems(all modules, version string) (problems []string) {
	problem := func(format string, args ...any) {
		problems = append(problems, path.Join(m.dir, "go.mod")+" "+fmt.Sprintf(format, args...))
	}
	for _, line := range m.file.Require {
		own, found := all.byPath(line.Mod.Path)
		if !found {
			continue
		}
		if line.Mod.Version != version {
			problem("requires %s: run this without -check and -n, which sets it to %s", line.Mod, version)
		}
		if m.released() && !own.released() {
			problem("requires %s, which is not released: others could not fetch it", own.path())
		}
		if !m.replaces(own) {
			problem("does not replace %s with its folder: it would be built with a published version of it", own.path())
		}
	}
	for _, line := range m.file.Replace {
		if _, own := all.byPath(line.Old.Path); m.released() && !own {
			problem("replaces %s: who imports the module would get another version than the tests", line.Old.Path)
		}
	}
	return problems
}

// replaces reports whether the module takes the other one from its folder in the source tree.
func (m goModule) replaces(own goModule) bool {
	for _, line := range m.file.Replace {
		if line.Old.Path == own.path() && modfile.IsDirectoryPath(line.New.Path) && path.Join(m.dir, line.New.Path) == own.dir {
			return true
		}
	}
	return false
}

// changelogHas reports whether the changelog has a section for the version, with its date.
func (r repository) changelogHas(version string) (bool, error) {
	text, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return false, err
	}
	heading := `(?m)^## \[` + regexp.QuoteMeta(strings.TrimPrefix(version, "v")) + `\] - \d{4}-\d\d-\d\d$`
	return regexp.Match(heading, text)
}

// indented returns the lines as the parts of a message.
func indented(lines []string) string { return "  " + strings.Join(lines, "\n  ") }
