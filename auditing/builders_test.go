package auditing

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// builder is one builder in a shape that a table can hold.
type builder struct {
	// fromJSON builds an event from an input in JSON.
	fromJSON func(*testing.T, []byte) *v1alpha1.AuditEvent
	// ordinary builds an event from an input with every field set to something usual.
	ordinary func() *v1alpha1.AuditEvent
	// filled builds an event from an input that fill has filled, and returns both.
	filled func(fill func(any)) (any, *v1alpha1.AuditEvent)
}

func of[In any](build func(In) *v1alpha1.AuditEvent, ordinary In) builder {
	return builder{
		fromJSON: func(t *testing.T, data []byte) *v1alpha1.AuditEvent {
			t.Helper()
			dec := json.NewDecoder(bytes.NewReader(data))
			dec.DisallowUnknownFields()
			var in In
			if err := dec.Decode(&in); err != nil {
				t.Fatalf("decoding %s into %T: %v", data, in, err)
			}
			return build(in)
		},
		ordinary: func() *v1alpha1.AuditEvent { return build(ordinary) },
		filled: func(fill func(any)) (any, *v1alpha1.AuditEvent) {
			var in In
			fill(&in)
			return in, build(in)
		},
	}
}

type row struct {
	Func           string
	Input          json.RawMessage
	Want           map[string]any
	ReasonContains []string
}

func rows(t *testing.T) []row {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "builders.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Rows []row }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Rows
}

func TestEveryBuilderReturnsWhatItsRowsSay(t *testing.T) {
	for _, r := range rows(t) {
		t.Run(r.Func, func(t *testing.T) {
			b, ok := builders[r.Func]
			if !ok {
				t.Fatalf("no builder %s in the table", r.Func)
			}
			got := decisionOf(t, b.fromJSON(t, r.Input))
			if len(r.ReasonContains) > 0 {
				spec := got["spec"].(map[string]any)
				for _, part := range r.ReasonContains {
					if reason, _ := spec["reason"].(string); !strings.Contains(reason, part) {
						t.Errorf("reason %q does not contain %q", reason, part)
					}
				}
				delete(spec, "reason")
			}
			if g, w := indented(t, got), indented(t, r.Want); g != w {
				t.Errorf("input %s\ngot  %s\nwant %s", r.Input, g, w)
			}
		})
	}
}

// decisionOf returns metadata and spec as JSON has them, without empty fields.
func decisionOf(t *testing.T, ae *v1alpha1.AuditEvent) map[string]any {
	t.Helper()
	data, err := json.Marshal(ae)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"metadata": withoutEmpty(all["metadata"]), "spec": withoutEmpty(all["spec"])}
}

func withoutEmpty(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for k, v := range m {
		switch v := withoutEmpty(v).(type) {
		case nil:
			delete(m, k)
		case map[string]any:
			if len(v) == 0 {
				delete(m, k)
			}
		}
	}
	return m
}

func indented(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Nobody adds a builder and forgets the tests, the allocation guard and the
// fuzzer, which all go through the one table.
func TestEveryBuilderOfThePackageIsInTheTable(t *testing.T) {
	declared := map[string]bool{}
	for _, name := range declaredBuilders(t) {
		declared[name] = true
		if _, ok := builders[name]; !ok {
			t.Errorf("%s has no entry in builders", name)
		}
	}
	for name := range builders {
		if !declared[name] {
			t.Errorf("the package declares no builder %s", name)
		}
	}
	inRows := map[string]bool{}
	for _, r := range rows(t) {
		inRows[r.Func] = true
	}
	ownTests := []string{"NewBrokerUnavailable", "NewEgressBlockSummary", "NewEvent"}
	for name := range builders {
		if !inRows[name] && !slices.Contains(ownTests, name) {
			t.Errorf("%s has neither a row nor a test of its own", name)
		}
	}
}

// declaredBuilders returns the exported functions that return one *AuditEvent.
func declaredBuilders(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.IsExported() && returnsEvent(f) {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

func returnsEvent(f *ast.FuncDecl) bool {
	if f.Type.Results.NumFields() != 1 {
		return false
	}
	star, ok := f.Type.Results.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "AuditEvent"
}

// sinkEvent keeps the compiler from putting a built event on the stack.
var sinkEvent *v1alpha1.AuditEvent

func BenchmarkBuilders(b *testing.B) {
	b.Run("struct literal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sinkEvent = literalEvent()
		}
	})
	for _, name := range slices.Sorted(maps.Keys(builders)) {
		b.Run(name, func(b *testing.B) {
			build := builders[name].ordinary
			b.ReportAllocs()
			for b.Loop() {
				sinkEvent = build()
			}
		})
	}
}
