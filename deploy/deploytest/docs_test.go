package deploytest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// documented returns the kustomization that docs/install.md shows, on the files of this tree.
func documented(t *testing.T) (dir string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/install.md")
	must(t, err)
	dir, err = filepath.EvalSymlinks(t.TempDir()) // kustomize resolves it too, and paths are relative to what it finds
	must(t, err)
	here, err := filepath.Abs("..")
	must(t, err)
	here, err = filepath.Rel(dir, here)
	must(t, err)
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(block[1], "kind: Kustomization") {
			continue
		}
		shown := regexp.MustCompile(`https://\S+//deploy(\S*)\?ref=VERSION`).ReplaceAllString(block[1], here+"$1")
		must(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(shown), 0o600))
		return dir
	}
	t.Fatal("docs/install.md shows no kustomization")
	return ""
}

func TestTheDocumentedKustomizationChangesWhatItSays(t *testing.T) {
	objects, err := render(documented(t))
	must(t, err)
	has := map[string]string{
		"ConfigMap audit-components":                      "system:serviceaccount:paddock:broker",
		"ValidatingAdmissionPolicy audit-events-deletion": "['oncall-security']",
		"Deployment audit-reaper":                         "registry.example.com/audit-reaper:v1",
		"ConfigMap audit-retention":                       "default: 90d\nrules:",
	}
	for _, o := range objects {
		must(t, admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(o.DeepCopy()), client.FieldOwner("deploytest"), client.DryRunAll))
		for key, want := range has {
			// A generated name has a hash behind it.
			if strings.HasPrefix(o.GetKind()+" "+o.GetName(), key) && contains(o, want) {
				delete(has, key)
			}
		}
	}
	for key, want := range has {
		t.Errorf("%s does not have %q", key, want)
	}
}

func contains(o *unstructured.Unstructured, text string) bool {
	var in func(any) bool
	in = func(v any) bool {
		switch v := v.(type) {
		case string:
			return strings.Contains(v, text)
		case []any:
			for _, e := range v {
				if in(e) {
					return true
				}
			}
		case map[string]any:
			for _, e := range v {
				if in(e) {
					return true
				}
			}
		}
		return false
	}
	return in(o.Object)
}
