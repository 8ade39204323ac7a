package compose_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

type composeFile struct {
	Services map[string]service
	Volumes  map[string]any
}

type service struct {
	Image       string
	Profiles    []string
	Command     []string
	Build       struct{ Context, Dockerfile string }
	Ports       []string
	Volumes     []string
	DependsOn   map[string]struct{ Condition string } `json:"depends_on"`
	Healthcheck struct{ Test []string }
	Environment map[string]string
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func readCompose(t *testing.T) (c composeFile) {
	t.Helper()
	readYAML(t, "docker-compose.yml", &c)
	for _, name := range []string{"loki", "key", "proxy", "grafana", "victorialogs", "proxy-victorialogs"} {
		if _, ok := c.Services[name]; !ok {
			t.Fatalf("no service %s", name)
		}
	}
	return c
}

func TestTheImageIsBuiltFromAllThatTheProxyLinks(t *testing.T) {
	text, err := os.ReadFile("Dockerfile.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	linked, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.ImportPath}}{{end}}{{end}}", "../egressproxy").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(linked)) {
		folder := strings.TrimPrefix(pkg, "github.com/paddock-dev/audit/")
		if !slices.ContainsFunc(strings.Fields(string(text)), func(line string) bool {
			kept, ok := strings.CutPrefix(line, "!")
			return ok && strings.HasPrefix(folder+"/", kept+"/")
		}) {
			t.Errorf("Dockerfile.dockerignore leaves out %s, which the proxy links", folder)
		}
	}
	if !strings.Contains(string(linked), "/examples/egressproxy/proxy\n") {
		t.Errorf("go list names no package of the proxy: %q", linked)
	}
}

func TestEveryFileThatAServiceUsesExists(t *testing.T) {
	c := readCompose(t)
	for name, s := range c.Services {
		for _, volume := range s.Volumes {
			from, _, _ := strings.Cut(volume, ":")
			if !strings.HasPrefix(from, ".") {
				if _, ok := c.Volumes[from]; !ok {
					t.Errorf("service %s mounts the volume %s, which is not declared", name, from)
				}
				continue
			}
			if _, err := os.Stat(from); err != nil {
				t.Errorf("service %s: %v", name, err)
			}
		}
		if s.Build.Context != "" {
			if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
				t.Errorf("service %s: %v", name, err)
			}
		}
	}
}

// pinned is a tag of three numbers. The proxy's image is built here.
var pinned = regexp.MustCompile(`^[a-z/-]+:v?\d+\.\d+\.\d+$`)

func TestEveryServiceIsPinnedAndHealthyBeforeWhatNeedsIt(t *testing.T) {
	c := readCompose(t)
	for name, s := range c.Services {
		if s.Build.Context == "" && !pinned.MatchString(s.Image) {
			t.Errorf("service %s: image %q is not pinned", name, s.Image)
		}
		optional := slices.Equal(s.Profiles, []string{"victorialogs"})
		if name != "victorialogs" && name != "key" && (len(s.Healthcheck.Test) < 2 || s.Healthcheck.Test[0] != "CMD") {
			t.Errorf("service %s: health check %v, want one that needs no shell", name, s.Healthcheck.Test)
		}
		switch {
		case strings.HasSuffix(name, "victorialogs") != optional:
			t.Errorf("service %s is in the profiles %v", name, s.Profiles)
		case name == "loki", name == "victorialogs", name == "key":
		case optional && s.DependsOn["victorialogs"].Condition != "service_started":
			t.Errorf("service %s does not wait until VictoriaLogs is started", name)
		case !optional && s.DependsOn["loki"].Condition != "service_healthy":
			t.Errorf("service %s does not wait until Loki is healthy", name)
		}
		if strings.HasPrefix(name, "proxy") && s.DependsOn["key"].Condition != "service_completed_successfully" {
			t.Errorf("service %s does not wait until its key is made", name)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("service %s publishes %s to everybody", name, port)
			}
		}
	}
}

func TestTheDashboardAsksTheProvisionedDataSource(t *testing.T) {
	var sources struct {
		Datasources []struct{ UID, Type, URL string }
	}
	readYAML(t, "grafana/provisioning/datasources/loki.yaml", &sources)
	if len(sources.Datasources) != 1 || sources.Datasources[0].URL != "http://loki:3100" {
		t.Fatalf("provisioned %+v", sources.Datasources)
	}
	want := source{Type: sources.Datasources[0].Type, UID: sources.Datasources[0].UID}
	d := readDashboard(t)
	for _, panel := range d.Panels {
		for _, q := range panel.Targets {
			if q.Datasource != want {
				t.Errorf("panel %q asks %+v, want %+v", panel.Title, q.Datasource, want)
			}
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" && v.Datasource != want {
			t.Errorf("variable %s asks %+v, want %+v", v.Name, v.Datasource, want)
		}
	}

	var dashboards struct {
		Providers []struct{ Options struct{ Path string } }
	}
	readYAML(t, "grafana/provisioning/dashboards/audit.yaml", &dashboards)
	grafana := readCompose(t).Services["grafana"]
	for _, p := range dashboards.Providers {
		if !slices.Contains(grafana.Volumes, "./grafana/dashboards:"+p.Options.Path+":ro") {
			t.Errorf("the dashboards are looked for in %s, which is no mount of theirs", p.Options.Path)
		}
		if home := grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]; home != p.Options.Path+"/audit.json" {
			t.Errorf("the home dashboard is %s", home)
		}
	}
}

// What VictoriaLogs drops for its age it confirms, so the proxy has to know how long it keeps rows.
func TestTheProxyKnowsHowLongVictoriaLogsKeeps(t *testing.T) {
	var audit struct {
		Sinks map[string]struct{ Oldest string }
	}
	readYAML(t, "audit-victorialogs.yaml", &audit)
	if !slices.Contains(readCompose(t).Services["victorialogs"].Command, "-retentionPeriod=30d") || audit.Sinks["victorialogs"].Oldest != "720h" {
		t.Error("what the proxy takes for the server's oldest is not its -retentionPeriod of 30 days")
	}
}

func TestEachProxySealsByAConfigurationThatIsValid(t *testing.T) {
	c := readCompose(t)
	for name, path := range map[string]string{"proxy": "audit.yaml", "proxy-victorialogs": "audit-victorialogs.yaml"} {
		file, err := config.Load(path, builtin.Types())
		if err != nil {
			t.Error(err)
			continue
		}
		if chain := file.String(); !strings.Contains(chain, "seal(retry(loki)): acknowledged") {
			t.Errorf("%s: the chain is %s", path, chain)
		}
		if s := c.Services[name]; !slices.Contains(s.Volumes, "./"+path+":/etc/audit/audit.yaml:ro") || !slices.Contains(s.Command, "-config=/etc/audit/audit.yaml") {
			t.Errorf("service %s does not use %s", name, path)
		}
	}
}
