package auditing_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// notShown is the type whose fields the reference does not show.
const notShown = "KubeSink"

// The reference is a Go file. It is checked against the same packages that compat/auditing
// is made of, so that types can be compared instead of texts.
func TestNamesHaveTheSignaturesOfTheReference(t *testing.T) {
	imports := exported(t)
	own, err := imports.Import("github.com/paddock-dev/audit/compat/auditing")
	if err != nil {
		t.Fatal(err)
	}
	reference := checked(t, imports, "testdata/reference.txt")
	names := reference.Scope().Names()
	if len(names) != 44 { // 22 functions, 21 types, 1 variable
		t.Errorf("the reference has %d names, want 44", len(names))
	}
	c := comparison{reference: reference, own: own.Scope()}
	for _, name := range names {
		if err := c.object(reference.Scope().Lookup(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range own.Scope().Names() {
		if token.IsExported(name) && reference.Scope().Lookup(name) == nil {
			t.Errorf("%s is in no reference", name)
		}
	}
}

// exported returns what imports packages from what the compiler wrote of them.
func exported(t *testing.T) types.Importer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-export", "-json=ImportPath,Export", ".")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	files := map[string]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Export string }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(files[path])
	})
}

func checked(t *testing.T, imports types.Importer, file string) *types.Package {
	t.Helper()
	files := token.NewFileSet()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.ParseFile(files, file, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: imports}
	pkg, err := conf.Check("reference", files, []*ast.File{parsed}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// comparison compares the objects of the reference with those of the same names here.
type comparison struct {
	reference *types.Package
	own       *types.Scope
}

func (c comparison) object(want types.Object) error {
	got := c.own.Lookup(want.Name())
	if got == nil {
		return errors.New("does not exist")
	}
	if fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
		return fmt.Errorf("is a %T, want a %T", got, want)
	}
	named, isType := want.Type().(*types.Named)
	if !isType || want.Type() == types.Universe.Lookup("error").Type() {
		return c.same(want.Type(), got.Type())
	}
	if want.Name() != notShown && !types.Identical(named.Underlying(), got.Type().Underlying()) {
		return fmt.Errorf("is %v, want %v", got.Type().Underlying(), named.Underlying())
	}
	for method := range named.Methods() {
		found, _, _ := types.LookupFieldOrMethod(types.NewPointer(got.Type()), false, nil, method.Name())
		if found == nil {
			return fmt.Errorf("has no method %s", method.Name())
		}
		if err := c.same(method.Type(), found.Type()); err != nil {
			return fmt.Errorf("method %s: %w", method.Name(), err)
		}
	}
	return nil
}

// same compares two types. A type of the reference stands for the one of its name here.
func (c comparison) same(want, got types.Type) error {
	equal := false
	switch w := want.(type) {
	case *types.Signature:
		g, ok := got.(*types.Signature)
		if !ok || w.Variadic() != g.Variadic() || w.Params().Len() != g.Params().Len() || w.Results().Len() != g.Results().Len() {
			break
		}
		for i := range w.Params().Len() {
			if err := c.same(w.Params().At(i).Type(), g.Params().At(i).Type()); err != nil {
				return fmt.Errorf("parameter %d: %w", i, err)
			}
		}
		for i := range w.Results().Len() {
			if err := c.same(w.Results().At(i).Type(), g.Results().At(i).Type()); err != nil {
				return fmt.Errorf("result %d: %w", i, err)
			}
		}
		return nil
	case *types.Named:
		if w.Obj().Pkg() == c.reference {
			here := c.own.Lookup(w.Obj().Name())
			equal = here != nil && types.Identical(here.Type(), got)
			break
		}
		equal = types.Identical(w, got)
	default:
		equal = types.Identical(want, got)
	}
	if !equal {
		return fmt.Errorf("is %v, want %v", got, want)
	}
	return nil
}
