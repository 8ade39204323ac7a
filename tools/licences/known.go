package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"
)

// knownText is a licence text that the classifier does not know or the policy does not accept as it stands, and that
// somebody has read. It holds for every version of the module whose text is the same.
type knownText struct {
	Module  string `yaml:"module"`
	File    string `yaml:"file"`    // the text's slash-separated path in the module
	SHA256  string `yaml:"sha256"`  // of the text, in hexadecimal
	Licence string `yaml:"licence"` // the SPDX name of the terms that apply here
	Reason  string `yaml:"reason"`

	needed bool
}

// knownTexts are the entries of the file of known texts.
type knownTexts struct {
	file    string
	entries []*knownText
}

// readKnown reads the file of known texts strictly: an unknown field or one that is missing is an error.
func readKnown(file string) (*knownTexts, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the known licence texts: %w", err)
	}
	known := &knownTexts{file: file}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&known.entries); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the known licence texts in %s: %w", file, err)
	}
	for i, e := range known.entries {
		switch {
		case e == nil || e.Module == "" || e.File == "" || e.SHA256 == "" || e.Licence == "" || e.Reason == "":
			return nil, fmt.Errorf("%s: entry %d lacks a field: it needs module, file, sha256, licence and reason", file, i+1)
		case !filepath.IsLocal(filepath.FromSlash(e.File)):
			return nil, fmt.Errorf("%s: entry %d: file %s is outside the module: name a file by its path from the module's root", file, i+1, e.File)
		case isForbidden(e.Licence):
			return nil, fmt.Errorf("%s: entry %d: nothing here may require a module under %s: remove the entry and drop %s", file, i+1, e.Licence, e.Module)
		}
	}
	return known, nil
}

// find returns the entry for the text of a module and marks it as needed, or nil. stale is an entry for the same file
// with another text.
func (k *knownTexts) find(module string, t text) (found, stale *knownText) {
	for _, e := range k.entries {
		if e.Module != module || e.File != t.file {
			continue
		}
		if e.SHA256 == t.sum {
			e.needed = true
			return e, nil
		}
		stale = e
	}
	return nil, stale
}

// texts reads the files that the entries name for the module in dir, which has no text in its root folder. A file that
// is no longer there is left out.
func (k *knownTexts) texts(module, dir string) ([]text, error) {
	var texts []text
	for _, e := range k.entries {
		if e.Module != module || slices.ContainsFunc(texts, func(t text) bool { return t.file == e.File }) {
			continue
		}
		t, err := readText(dir, e.File)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		texts = append(texts, t)
	}
	return texts, nil
}
