package main

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/paddock-dev/audit/internal/testenv"
)

const metricsPage = "../../docs/metrics.md"

// rows returns the rows of docs/metrics.md.
func rows(t *testing.T) (rows []string) {
	t.Helper()
	text, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, line)
		}
	}
	return rows
}

func TestTheCommittedPageIsWhatIsGenerated(t *testing.T) {
	families, err := gather(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := page(&text, families); err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(committed) {
		t.Error("docs/metrics.md is not what the code says: run make generate")
	}
}

// othersPrefixes are those of the metrics that the Go runtime, client_golang, client-go and controller-runtime show
// in the same scrape. What begins with none of them, and not as ours do, is a metric of ours with a wrong name.
var othersPrefixes = []string{
	"go_", "process_", "promhttp_", "rest_client_", "controller_runtime_", "workqueue_", "leader_election_", "certwatcher_",
}

func TestScrapesShowTheMetricsOfThePageAndNoOthers(t *testing.T) {
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../examples/egressproxy", "../../cmd/audit-reaper")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	scraped := map[string]bool{}
	for _, address := range []string{runProxy(t, bin), runReaper(t, bin)} {
		for _, f := range scrape(t, address) {
			if strings.HasPrefix(f.name, metricPrefix) {
				scraped[f.row()] = true
			} else if !slices.ContainsFunc(othersPrefixes, func(p string) bool { return strings.HasPrefix(f.name, p) }) {
				t.Errorf("metric %s is neither named as ours are nor as those of the libraries are", f.name)
			}
		}
	}
	documented := rows(t)
	for _, row := range documented {
		if !scraped[row] {
			t.Errorf("docs/metrics.md has what no scrape shows: %s", row)
		}
	}
	for row := range scraped {
		if !slices.Contains(documented, row) {
			t.Errorf("docs/metrics.md has not: %s", row)
		}
	}
}

// runProxy starts the egress proxy with a chain of all stages in front of VictoriaLogs, and a sink of each protocol, sends a request that it denies
// through it, and returns where its metrics are.
func runProxy(t *testing.T, bin string) (address string) {
	t.Helper()
	lake := testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{})
	path := filepath.Join(t.TempDir(), "audit.yaml")
	text := fmt.Sprintf(`apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
sinks:
  ways: {type: route, routes: [{next: calm}], rest: drop}
  calm: {type: flood, next: disk}
  sealed: {type: seal, next: lake}
  disk: {type: spool, next: again, dir: %[1]q}
  again: {type: retry, next: lake}
  hook: {type: webhook, url: %[2]q, check: skip}
  lake: {type: loki, server: victorialogs, url: %[2]q}
  collector: {type: otlp, url: '%[2]s/insert/opentelemetry/v1/logs'}
components:
  far: {sink: collector, onFailure: open}
  proxy: {sink: ways, onFailure: {denied: closed, granted: open}}
  proven: {sink: sealed, onFailure: open}
  told: {sink: hook, onFailure: open}
`, filepath.Join(t.TempDir(), "spool"), lake.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	listen, metrics := free(t), free(t)
	start(t, filepath.Join(bin, "egressproxy"), "-listen", listen, "-metrics", metrics, "-allow", "api.example.com", "-config", path)
	answers(t, metrics)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: listen})}}
	resp, err := client.Get("http://elsewhere.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Fatalf("the proxy answers %s, want 403", resp.Status)
	}
	return metrics
}

// runReaper starts the reaper on an API server of its own and returns where its metrics are.
func runReaper(t *testing.T, bin string) (address string) {
	t.Helper()
	server, err := testenv.StartKube()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: server.Config.Host, CertificateAuthorityData: server.Config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"test": {Token: server.Config.BearerToken}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "test"}},
		CurrentContext: "test",
	}, kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	metrics := free(t)
	start(t, filepath.Join(bin, "audit-reaper"), "-kubeconfig", kubeconfig, "-leader-elect", "-namespace", "default",
		"-metrics-addr", metrics, "-health-addr", "0")
	answers(t, metrics)
	return metrics
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs a program until the test ends.
func start(t *testing.T, path string, args ...string) {
	t.Helper()
	var log strings.Builder
	cmd := exec.Command(path, args...)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", filepath.Base(path), log.String())
		}
	})
}

// answers waits until the address serves metrics.
func answers(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/metrics")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no metrics at %s for a minute: %v", address, err)
		}
	}
}

// scrape returns the metrics that an address shows.
func scrape(t *testing.T, address string) (families []family) {
	t.Helper()
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range parsed {
		families = append(families, familyOf(f))
	}
	return families
}
