package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// leastCoverage is the share of a text, in percent of its words, that has to be known licences for the text to count
// as those. It is the one that pkg.go.dev goes by.
const leastCoverage = 75

// A file of a module's root folder is taken for a licence text by its name, code and configuration apart. NOTICE,
// PATENTS, AUTHORS and COPYRIGHT grant nothing and are left out.
var (
	textName = regexp.MustCompile(`(?i)licen[cs](e|ing)|copying`)
	codeName = regexp.MustCompile(`(?i)\.(bash|bat|c|cfg|css|go|h|html|js|json|png|py|rb|sh|svg|toml|ts|xml|ya?ml)$`)
)

// businessSource tells texts of the Business Source License, which the classifier does not know.
var businessSource = regexp.MustCompile(`(?i)\bbusiness\s+source\s+licen[cs]e\b`)

// text is one licence text of a module.
type text struct {
	path     string   // where it was read
	file     string   // its slash-separated path in the module
	sum      string   // the SHA-256 of its bytes, in hexadecimal
	licences []string // the SPDX names of the licences in it, sorted
	coverage float64  // percent of its words that are those licences
}

// known reports whether the classifier knows the text.
func (t text) known() bool {
	return len(t.licences) > 0 && t.coverage >= leastCoverage
}

// rootTexts reads the licence texts in a module's root folder. Folders below hold code of others at most, which has
// its own terms; the go command puts the repository's LICENSE beside the go.mod of a nested module without one.
func rootTexts(dir string) ([]text, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var texts []text
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() || !textName.MatchString(name) || codeName.MatchString(name) {
			continue
		}
		t, err := readText(dir, name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, t)
	}
	return texts, nil
}

// readText reads and classifies one text of the module in dir.
func readText(dir, file string) (text, error) {
	path := filepath.Join(dir, filepath.FromSlash(file))
	content, err := os.ReadFile(path)
	if err != nil {
		return text{}, err
	}
	sum := sha256.Sum256(content)
	t := text{path: path, file: file, sum: hex.EncodeToString(sum[:])}
	scanned := licensecheck.Scan(content)
	t.coverage = scanned.Percent
	for _, match := range scanned.Match {
		t.licences = append(t.licences, match.ID)
	}
	if businessSource.Match(content) {
		t.licences = append(t.licences, "BUSL-1.1")
	}
	slices.Sort(t.licences)
	t.licences = slices.Compact(t.licences)
	return t, nil
}

// names lists the licences of the text for a message.
func (t text) names() string {
	return strings.Join(t.licences, " and ")
}
