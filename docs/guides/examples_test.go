package guides_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// own are the folders of the root that hold packages for others to import.
var own = []string{"adapters", "api", "auditing", "compat", "config", "driver", "reading", "retention", "sinks", "verify"}

func TestEveryPackageHasAnExampleThatRuns(t *testing.T) {
	checked := 0
	for _, folder := range own {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil || !entry.IsDir():
				return err
			case entry.Name() == "internal" || entry.Name() == "testdata":
				return fs.SkipDir
			}
			files, err := filepath.Glob(filepath.Join(path, "*.go"))
			if err != nil || !slices.ContainsFunc(files, isSource) {
				return err
			}
			checked++
			if !slices.ContainsFunc(files, func(file string) bool { return runs(t, file) }) {
				t.Errorf("%s has no Example with an output", strings.TrimPrefix(path, root+"/"))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if checked < 30 {
		t.Errorf("only %d packages were found", checked)
	}
}

func isSource(file string) bool { return !strings.HasSuffix(file, "_test.go") }

// runs reports that a file has an example that a test runs.
func runs(t *testing.T, path string) bool {
	t.Helper()
	if isSource(path) {
		return false
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(doc.Examples([]*ast.File{file}...), func(e *doc.Example) bool { return e.Output != "" })
}
