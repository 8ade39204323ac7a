package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// pins say where the tested version of each row of docs/versions.md stands: the file that the row links to, and what
// stands before the version there.
var pins = map[string]struct{ file, before string }{
	"Kubernetes":                       {"tools/kube/go.mod", "k8s.io/kubernetes v"},
	"etcd":                             {"tools/kube/go.mod", "go.etcd.io/etcd/server/v3 v"},
	"Go modules of Kubernetes, oldest": {"go.mod", "k8s.io/client-go v"},
	"Go modules of Kubernetes, newest": {"Makefile", "NEWEST_KUBERNETES = v"},
	"controller-runtime, oldest":       {"go.mod", "sigs.k8s.io/controller-runtime v"},
	"controller-runtime, newest":       {"Makefile", "NEWEST_CONTROLLER_RUNTIME = v"},
	"Grafana Loki":                     {"internal/lokitest/http.go", `const Recorded = "`},
	"VictoriaLogs":                     {"tools/victorialogs/go.mod", "github.com/VictoriaMetrics/VictoriaLogs v"},
	"OpenTelemetry Collector":          {"tools/otelcol/go.mod", "go.opentelemetry.io/collector/otelcol v"},
	"Grafana":                          {"examples/compose/docker-compose.yml", "image: grafana/grafana:"},
	"Prometheus":                       {"tools/promtool/go.mod", "github.com/prometheus/prometheus v"},
	"Go":                               {"go.mod", "go "},
}

// pinned returns the version that a file of the repository pins.
func pinned(t *testing.T, file, before string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(before) + `(\d+\.\d+\.\d+)\b`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s has no version after %q", file, before)
	}
	return string(found[1])
}

// tested returns the rows of the table of docs/versions.md: what, tested, pinned in, how, expected.
func tested(t *testing.T) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile("versions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| what | tested | pinned in | how | expected |\n| --- | --- | --- | --- | --- |\n")
	if !found {
		t.Fatal("docs/versions.md has no table of what is tested")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(row), "|"), "|")
		if len(cells) != 5 {
			t.Fatalf("the row has %d cells: %s", len(cells), row)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

func TestTestedVersionsAreThePinnedOnes(t *testing.T) {
	t.Parallel()
	rows := tested(t)
	for _, row := range rows {
		pin, known := pins[row[0]]
		if !known {
			t.Errorf("docs/versions.md says that %s %s is tested, and no file pins it", row[0], row[1])
			continue
		}
		if !strings.HasSuffix(row[2], "(../"+pin.file+")") {
			t.Errorf("%s is pinned in %s, and its row says %s", row[0], pin.file, row[2])
		}
		if want := pinned(t, pin.file, pin.before); row[1] != want {
			t.Errorf("docs/versions.md says that %s %s is tested, and %s pins %s", row[0], row[1], pin.file, want)
		}
	}
	if len(rows) != len(pins) {
		t.Errorf("docs/versions.md has %d rows, want %d", len(rows), len(pins))
	}
}

// make test-newest replaces the versions that go.mod requires by those in the Makefile. If one in the Makefile were older, the
// target would not test the newest modules.
func TestNewestKubernetesModulesAreNotOlder(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	gomod, err := modfile.ParseLax("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	newest := map[string]string{"sigs.k8s.io/controller-runtime": pinned(t, "Makefile", "NEWEST_CONTROLLER_RUNTIME = v")}
	for _, module := range []string{"api", "apiextensions-apiserver", "apimachinery", "apiserver", "client-go"} {
		newest["k8s.io/"+module] = pinned(t, "Makefile", "NEWEST_KUBERNETES = v")
	}
	for _, line := range gomod.Require {
		want, raised := newest[line.Mod.Path]
		if raised && semver.Compare(line.Mod.Version, "v"+want) > 0 {
			t.Errorf("go.mod requires %s, and the newest that the Makefile pins is v%s: raise it there", line.Mod, want)
		}
		delete(newest, line.Mod.Path)
	}
	for path := range newest {
		t.Errorf("go.mod has no line for %s: take it from this test and from NEWEST in the Makefile", path)
	}
}

// docker-compose.yml names two of the servers once more.
func TestExamplesRunTheTestedServers(t *testing.T) {
	t.Parallel()
	for what, image := range map[string]string{
		"Grafana Loki": "image: grafana/loki:", "VictoriaLogs": "image: victoriametrics/victoria-logs:v",
	} {
		pin := pins[what]
		if got, want := pinned(t, "examples/compose/docker-compose.yml", image), pinned(t, pin.file, pin.before); got != want {
			t.Errorf("docker-compose.yml runs %s %s, and the tests %s", what, got, want)
		}
	}
}

func TestReadmeNamesTheTestedVersions(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(readme(t), "\n## Versions\n")
	for _, what := range []string{"Kubernetes", "VictoriaLogs", "OpenTelemetry Collector", "Go", "Grafana Loki"} {
		pin := pins[what]
		version := pinned(t, pin.file, pin.before)
		short := what + " " + version[:strings.LastIndex(version, ".")]
		if !regexp.MustCompile(regexp.QuoteMeta(short) + `\b`).MatchString(section) {
			t.Errorf("README.md does not say %s under Versions", short)
		}
	}
}
