package builtin_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/internal/testenv"
)

// documentedConfiguration returns the configuration file that docs/configuration.md shows.
func documentedConfiguration(t *testing.T) string {
	t.Helper()
	copied, err := os.ReadFile("../testdata/good/documented.yaml")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(page), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		if strings.Contains(text, "kind: "+config.Kind) {
			if text != string(copied) {
				t.Errorf("the configuration of docs/configuration.md is not that of config/testdata/good/documented.yaml:\n%s", text)
			}
			return text
		}
	}
	t.Fatal("docs/configuration.md shows no configuration")
	return ""
}

// place holds the destinations in which the test looks for events.
type place struct {
	kube   client.Client
	loki   *testenv.Loki
	stderr string // a file
}

// prepare returns the documented file with the addresses of the test's servers, and functions
// that read the servers.
func prepare(t *testing.T) (text string, p place) {
	t.Helper()
	server := testenv.SharedKube(t)
	p.loki = testenv.NewLoki(t, testenv.LokiOptions{Tenants: true})
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.kube, err = client.New(server.Config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p.stderr = filepath.Join(dir, "stderr.log")
	password := filepath.Join(dir, "pw")
	if err := os.WriteFile(password, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	text = documentedConfiguration(t)
	for old, replacement := range map[string]string{
		"http://loki:3100": p.loki.URL, "/etc/loki/pw": password, "path: stderr": "path: " + p.stderr,
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("the documented file has no %s", old)
		}
		text = strings.ReplaceAll(text, old, replacement)
	}
	return text, p
}

// where returns, for each place, the components whose events are there.
func (p place) where(t *testing.T, namespace string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	var list v1alpha1.AuditEventList
	if err := p.kube.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	for _, ae := range list.Items {
		found["kube"] = append(found["kube"], ae.Labels[v1alpha1.LabelComponent])
	}
	entries, err := p.loki.Query(t.Context(), "team-a", `{namespace="`+namespace+`"}`, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		found["loki"] = append(found["loki"], e.Labels["component"])
	}
	data, err := os.ReadFile(p.stderr)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var ae v1alpha1.AuditEvent
		if err := json.Unmarshal([]byte(line), &ae); err != nil {
			t.Fatal(err)
		}
		if ae.Namespace == namespace {
			found["log"] = append(found["log"], ae.Labels[v1alpha1.LabelComponent])
		}
	}
	for _, components := range found {
		slices.Sort(components)
	}
	return found
}

func TestDocumentedFileRoutesEachComponent(t *testing.T) {
	t.Parallel()
	text, p := prepare(t)
	path := filepath.Join(t.TempDir(), "audit.yaml")
	server := testenv.SharedKube(t)
	all := []string{"broker", "proxy", "webhook", "controller"}
	for _, c := range []struct {
		name, text string
		want       map[string][]string
	}{
		{"as documented", text, map[string][]string{
			"kube": {"broker", "controller"}, "loki": {"broker", "proxy"}, "log": {"webhook"},
		}},
		{"with two names swapped", strings.NewReplacer("proxy:      {sink: lake", "proxy:      {sink: cluster",
			"controller: {sink: cluster", "controller: {sink: lake").Replace(text), map[string][]string{
			"kube": {"broker", "proxy"}, "loki": {"broker", "controller"}, "log": {"webhook"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			trail, err := config.Open(t.Context(), path, builtin.Types(builtin.WithKubeClient(p.kube)), config.Deps{Static: true})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := trail.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			file, err := config.Load(path, builtin.Types())
			if err != nil || file.String() != trail.String() {
				t.Errorf("planned:\n%s\nopened:\n%s\n%v", file, trail, err)
			}
			namespace := server.Namespace(t)
			for _, component := range all {
				err := trail.For(component).Write(t.Context(), auditing.NewEvent(auditing.EventInput{
					Namespace: namespace, Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionDenied,
				}))
				if err != nil {
					t.Errorf("%s: %v", component, err)
				}
			}
			got := p.where(t, namespace)
			for place, want := range c.want {
				if !slices.Equal(got[place], want) {
					t.Errorf("%s has the events of %v, want %v", place, got[place], want)
				}
			}
		})
	}
}
