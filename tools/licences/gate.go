package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// result is what the gate found in a repository.
type result struct {
	goMods   int
	modules  int            // module versions
	licences map[string]int // module versions under each licence; those with several count under each
	problems []string       // each says which go.mod requires what, what is wrong with it and what to do
}

// needed is a required module with where it is and who requires it.
type needed struct {
	required
	at downloaded
	by [run + 1][]string // the go.mod files that require it, by use
}

// check judges every module that a go.mod below root requires. knownFile is the file of known texts.
func check(ctx context.Context, root, knownFile string) (result, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return result{}, err
	}
	known, err := readKnown(knownFile)
	if err != nil {
		return result{}, err
	}
	mods, err := readGoMods(root)
	if err != nil {
		return result{}, err
	}
	modules, err := collect(ctx, mods)
	if err != nil {
		return result{}, err
	}
	res := result{goMods: len(mods), modules: len(modules), licences: map[string]int{}}
	for _, m := range modules {
		if err := res.judge(m, known); err != nil {
			return result{}, err
		}
	}
	for _, e := range known.entries {
		if !e.needed {
			res.problems = append(res.problems, fmt.Sprintf(
				"%s: the entry for %s of %s is not needed: no required version has that text, or it is accepted without the entry: remove it",
				filepath.Base(known.file), e.File, e.Module))
		}
	}
	return res, nil
}

// collect fetches what the go.mod files require and returns each module version once, in order of its name.
func collect(ctx context.Context, mods []goMod) ([]*needed, error) {
	all := map[required]*needed{}
	for _, mod := range mods {
		cache, err := download(ctx, mod.dir)
		if err != nil {
			return nil, err
		}
		for _, r := range mod.requires {
			n := all[r]
			if n == nil {
				n = &needed{required: r, at: downloaded{dir: r.dir}}
				all[r] = n
			}
			if at, ok := cache[r.Version]; ok && n.at.dir == "" {
				n.at = at
			}
			u := useOf(mod.file)
			n.by[u] = append(n.by[u], mod.file)
		}
	}
	modules := make([]*needed, 0, len(all))
	for _, n := range all {
		modules = append(modules, n)
	}
	slices.SortFunc(modules, func(a, b *needed) int { return strings.Compare(a.String(), b.String()) })
	return modules, nil
}

// judge holds the texts of one module against the policy for each use that it is put to.
func (res *result) judge(m *needed, known *knownTexts) error {
	if m.at.dir == "" {
		res.refuse(m, append(m.by[linked], m.by[run]...), missing(m.at.err))
		return nil
	}
	texts, err := rootTexts(m.at.dir)
	if err != nil {
		return fmt.Errorf("read the licence of %s: %w", m, err)
	}
	inRoot := len(texts) > 0
	if !inRoot {
		if texts, err = known.texts(m.Path, m.at.dir); err != nil {
			return fmt.Errorf("read the licence of %s: %w", m, err)
		}
	}
	var licences []string
	for u, by := range m.by {
		if len(by) == 0 {
			continue
		}
		if len(texts) == 0 {
			res.refuse(m, by, fmt.Sprintf("which has no licence text in its root folder (%s): drop it, or record the text of a folder below %s",
				m.at.dir, whereToRecord))
		}
		for _, t := range texts {
			found, problem := verdict(m.Path, t, use(u), known, inRoot)
			if problem != "" {
				res.refuse(m, by, problem)
			}
			licences = append(licences, found...)
		}
	}
	slices.Sort(licences)
	for _, licence := range slices.Compact(licences) {
		res.licences[licence]++
	}
	return nil
}

const whereToRecord = "in tools/licences/known.yaml"

// verdict returns the licences that a text grants for the use, or what is wrong with it. A text outside the module's
// root folder counts only where an entry says so.
func verdict(path string, t text, u use, known *knownTexts, inRoot bool) (licences []string, problem string) {
	for _, licence := range t.licences {
		if isForbidden(licence) {
			return nil, fmt.Sprintf("whose %s is under %s (%s): nothing here may require that: drop it", t.file, licence, t.path)
		}
	}
	refused := slices.ContainsFunc(t.licences, func(licence string) bool { return !u.accepts(licence) })
	if inRoot && t.known() && !refused {
		return t.licences, ""
	}
	entry, stale := known.find(path, t)
	switch {
	case entry != nil && u.accepts(entry.Licence):
		return []string{entry.Licence}, ""
	case entry != nil:
		return nil, fmt.Sprintf("whose %s is under %s, as recorded %s: %s", t.file, entry.Licence, whereToRecord, u.refusal(entry.Licence))
	case t.known() && refused:
		return nil, fmt.Sprintf("whose %s is under %s (%s): %s", t.file, t.names(), t.path, u.refusal(t.licences...))
	case stale != nil:
		return nil, fmt.Sprintf("whose %s is not the text recorded %s any more (%s, SHA-256 %s): read it, and correct the entry or drop the module",
			t.file, whereToRecord, t.path, t.sum)
	}
	return nil, fmt.Sprintf("whose %s the classifier does not know (%s, SHA-256 %s, %s): read it, and record it %s or drop the module",
		t.file, t.path, t.sum, t.likeness(), whereToRecord)
}

// refusal says why a module under the licences may not be put to the use, and what to do.
func (u use) refusal(licences ...string) string {
	runnable := !slices.ContainsFunc(licences, func(licence string) bool { return !run.accepts(licence) })
	if u == linked && runnable {
		return "programs that import the library may link it, and only what tools/ and benchmarks/ require may be under that: drop it"
	}
	return "that is not among the accepted licences of tools/licences/policy.go: drop it"
}

// likeness says how much of the text is of a known licence, for a message.
func (t text) likeness() string {
	if len(t.licences) == 0 {
		return "like no licence it knows"
	}
	return fmt.Sprintf("%.0f %% like %s", t.coverage, t.names())
}

func missing(err error) string {
	if err != nil {
		return fmt.Sprintf("which cannot be had: %v: see whether the module proxy serves that version", err)
	}
	return "which go mod download does not fetch: run go mod tidy there, so that the line names the version that is used"
}

func (res *result) refuse(m *needed, by []string, problem string) {
	verb := "require"
	if len(by) == 1 {
		verb = "requires"
	}
	res.problems = append(res.problems, fmt.Sprintf("%s %s %s, %s", strings.Join(by, ", "), verb, m, problem))
}
