package docs_test

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// Programs show how they are called in the comment of their package: in its indented lines.
func TestProgramsHaveWhatTheirCommentsShow(t *testing.T) {
	t.Parallel()
	shown := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == filepath.Join(root, "bin") || entry.Name() == ".git"):
			return filepath.SkipDir
		case entry.Name() != "main.go":
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		program := source(t, filepath.Join(folder, "*.go"))
		for line := range strings.Lines(file.Doc.Text()) {
			if call, ok := strings.CutPrefix(line, "\t"); ok {
				shown++
				if err := wrongCall(program, call); err != nil {
					t.Errorf("%s: %s%v", path, call, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if shown < 15 {
		t.Errorf("only %d calls are found", shown)
	}
}

// wrongCall returns what the source of a program lacks of a call: a flag, or what a request of curl names.
func wrongCall(program, call string) error {
	words := strings.Fields(strings.NewReplacer("[", " ", "]", " ", "'", " ").Replace(call))
	if words[0] == "go" && words[1] == "-C" {
		words = words[3:]
	}
	if words[0] != "curl" {
		return wrongFlags(program, words)
	}
	u, err := url.Parse(words[len(words)-1])
	if err != nil {
		return err
	}
	if !strings.Contains(program, u.Path) || u.Path == "" {
		return errors.New("the program does not serve " + u.Path)
	}
	for name := range u.Query() {
		if !strings.Contains(program, fmt.Sprintf("%q", name)) {
			return errors.New("the program reads no " + name)
		}
	}
	return nil
}

func TestCallsThatAProgramLacksAreFound(t *testing.T) {
	t.Parallel()
	const program = `package main; flag.String("listen"); mux.Handle("POST /credential"); FormValue("run")`
	for call, known := range map[string]bool{
		"broker -listen X": true, "broker [-listen X]": true, "broker -port 1": false, "go -C tools/x run . -listen X": true,
		"curl -X POST 'http://x/credential?run=1'": true, "curl 'http://x/credential?name=1'": false, "curl http://x/other": false,
	} {
		if err := wrongCall(program, call); (err == nil) != known {
			t.Errorf("%s: %v", call, err)
		}
	}
}
