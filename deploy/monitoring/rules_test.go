package monitoring_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/paddock-dev/audit/internal/testenv"
)

const (
	rulesFile = "rules.yaml"
	runbook   = "https://github.com/paddock-dev/audit/blob/main/docs/runbook.md#"
)

type rules struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

type rule struct {
	Record      string            `json:"record"`
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// cases is a file of promtool's rule tests.
type cases struct {
	RuleFiles  []string `json:"rule_files"`
	EvalEvery  string   `json:"evaluation_interval"`
	GroupOrder []string `json:"group_eval_order"`
	Tests      []struct {
		Name        string           `json:"name"`
		Interval    string           `json:"interval"`
		InputSeries []map[string]any `json:"input_series"`
		Alerts      []alertCase      `json:"alert_rule_test"`
		Exprs       []struct {
			Expr    string           `json:"expr"`
			At      string           `json:"eval_time"`
			Samples []map[string]any `json:"exp_samples"`
		} `json:"promql_expr_test"`
	} `json:"tests"`
}

type alertCase struct {
	At       string           `json:"eval_time"`
	Name     string           `json:"alertname"`
	Expected []map[string]any `json:"exp_alerts"`
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(read(t, path), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// allRules returns the alerts and the recording rules by name.
func allRules(t *testing.T) (alerts, records map[string]rule) {
	t.Helper()
	var file rules
	decode(t, rulesFile, &file)
	alerts, records = map[string]rule{}, map[string]rule{}
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			if r.Alert != "" {
				alerts[r.Alert] = r
			} else {
				records[r.Record] = r
			}
		}
	}
	if len(alerts) == 0 || len(records) == 0 {
		t.Fatalf("%d alerts and %d recording rules", len(alerts), len(records))
	}
	return alerts, records
}

func testFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("tests/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("test files %v, %v", files, err)
	}
	return files
}

func TestPromtoolPassesEveryRule(t *testing.T) {
	promtool, err := testenv.Promtool()
	if err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
				t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		})
	}
	run("check", "check", "rules", "--lint=all", "--lint-fatal", rulesFile)
	for _, file := range testFiles(t) {
		run(strings.TrimSuffix(filepath.Base(file), ".yaml"), "test", "rules", file)
	}
}

func TestEveryAlertHasAFiringAndAQuietCase(t *testing.T) {
	alerts, records := allRules(t)
	fires, quiet, recorded := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, file := range testFiles(t) {
		var c cases
		decode(t, file, &c)
		for _, test := range c.Tests {
			for _, a := range test.Alerts {
				if _, known := alerts[a.Name]; !known {
					t.Errorf("%s: %s: there is no alert %s", file, test.Name, a.Name) // promtool takes it for an alert that does not fire
				}
				// Quiet is a whole case, not the time before or after it fires.
				firing := slices.ContainsFunc(test.Alerts, func(b alertCase) bool { return b.Name == a.Name && len(b.Expected) > 0 })
				fires[a.Name] = fires[a.Name] || firing
				quiet[a.Name] = quiet[a.Name] || !firing
			}
			for _, e := range test.Exprs {
				if len(e.Samples) > 0 {
					recorded[e.Expr] = true
				}
			}
		}
	}
	for name := range alerts {
		if !fires[name] {
			t.Errorf("alert %s fires in no case", name)
		}
		if !quiet[name] {
			t.Errorf("alert %s stays quiet in no case", name)
		}
	}
	for name := range records {
		if !recorded[name] {
			t.Errorf("the record %s is in no case", name)
		}
	}
}

func TestEveryAlertHasASectionOfTheRunbookAndEverySectionAnAlert(t *testing.T) {
	alerts, _ := allRules(t)
	text := string(read(t, "../../docs/runbook.md"))
	sections := map[string]string{}
	for _, section := range strings.Split("\n"+text, "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		sections[title] = body
	}
	for name, r := range alerts {
		for _, part := range []string{"**Meaning.**", "**At stake.**", "**Look.**", "**Do.**"} {
			if !strings.Contains(sections[name], part) {
				t.Errorf("docs/runbook.md: section %s has no %s", name, part)
			}
		}
		if want := runbook + strings.ToLower(name); r.Annotations["runbook_url"] != want {
			t.Errorf("alert %s has runbook_url %q, want %q", name, r.Annotations["runbook_url"], want)
		}
		if s := r.Labels["severity"]; s != "warning" && s != "critical" {
			t.Errorf("alert %s has severity %q", name, s)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("alert %s needs a summary and a description", name)
		}
	}
	for title := range sections {
		if _, known := alerts[title]; strings.HasPrefix(title, "Audit") && !known {
			t.Errorf("docs/runbook.md has a section %s, and there is no such alert", title)
		}
	}
}

var (
	// A metric in an expression or in a series of a test. Recorded names have a colon before or behind.
	metricName = regexp.MustCompile(`(^|[^:\w])(paddock_audit_\w+)`)
	// A row of docs/metrics.md.
	metricRow = regexp.MustCompile("(?m)^\\| `(paddock_audit_\\w+)` \\| (\\w+) \\| ([^|]*) \\|")
	// A selector with its matchers.
	selector = regexp.MustCompile(`(?:^|[^:\w])(paddock_audit_\w+)\{([^}]*)\}`)
	label    = regexp.MustCompile(`(\w+)\s*[=!]`)
)

func TestTheRulesUseOnlyMetricsAndLabelsThatTheLibraryHas(t *testing.T) {
	known := map[string][]string{}
	for _, row := range metricRow.FindAllStringSubmatch(string(read(t, "../../docs/metrics.md")), -1) {
		known[row[1]] = append(strings.Split(strings.TrimSpace(row[3]), ", "), "namespace", "job", "instance")
	}
	if len(known) == 0 {
		t.Fatal("docs/metrics.md has no metric")
	}
	check := func(where, expr string) {
		for _, name := range metricName.FindAllStringSubmatch(expr, -1) {
			if _, ok := known[name[2]]; !ok {
				t.Errorf("%s: there is no metric %s", where, name[2])
			}
		}
		for _, s := range selector.FindAllStringSubmatch(expr, -1) {
			for _, l := range label.FindAllStringSubmatch(s[2], -1) {
				if !slices.Contains(known[s[1]], l[1]) {
					t.Errorf("%s: %s has no label %s, only %v", where, s[1], l[1], known[s[1]])
				}
			}
		}
	}
	alerts, records := allRules(t)
	for _, all := range []map[string]rule{alerts, records} {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			check(name, all[name].Expr)
		}
	}
	for _, file := range testFiles(t) {
		var c cases
		decode(t, file, &c)
		for _, test := range c.Tests {
			for _, s := range test.InputSeries {
				check(file+": "+test.Name, fmt.Sprint(s["series"]))
			}
		}
	}
}

func TestThePrometheusRuleHasTheSameRules(t *testing.T) {
	var object struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       map[string]any `json:"spec"`
	}
	decode(t, "prometheusrule.yaml", &object)
	var want map[string]any
	decode(t, rulesFile, &want)
	if got, want := fmt.Sprint(object.Spec), fmt.Sprint(want); got != want {
		t.Errorf("prometheusrule.yaml differs from %s: run make generate", rulesFile)
	}
}

// object has the parts of a Kubernetes object that are compared here.
type object struct {
	Metadata struct {
		Name      string            `json:"name"`
		Namespace string            `json:"namespace"`
		Labels    map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		Selector struct {
			MatchLabels map[string]string `json:"matchLabels"`
		} `json:"selector"`
		Endpoints []struct {
			Port string `json:"port"`
		} `json:"endpoints"`
		Ports []struct {
			Name string `json:"name"`
		} `json:"ports"`
	} `json:"spec"`
}

func TestTheServiceMonitorSelectsTheServiceOfTheReaper(t *testing.T) {
	load := func(path string) (o object) {
		if err := yaml.Unmarshal(read(t, path), &o); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return o
	}
	monitor, service := load("servicemonitor.yaml"), load("../reaper/service.yaml")
	var kustomization struct {
		Namespace string `json:"namespace"`
	}
	if err := yaml.Unmarshal(read(t, "../reaper/kustomization.yaml"), &kustomization); err != nil {
		t.Fatal(err)
	}
	if monitor.Metadata.Namespace != kustomization.Namespace {
		t.Errorf("the monitor looks in namespace %q, the reaper is in %q", monitor.Metadata.Namespace, kustomization.Namespace)
	}
	if len(monitor.Spec.Selector.MatchLabels) == 0 {
		t.Error("the monitor selects every Service")
	}
	for key, value := range monitor.Spec.Selector.MatchLabels {
		if service.Metadata.Labels[key] != value {
			t.Errorf("the Service has label %s=%q, the monitor wants %q", key, service.Metadata.Labels[key], value)
		}
	}
	if len(monitor.Spec.Endpoints) != 1 || len(service.Spec.Ports) != 1 || monitor.Spec.Endpoints[0].Port != service.Spec.Ports[0].Name {
		t.Errorf("the monitor scrapes %v, the Service has %v", monitor.Spec.Endpoints, service.Spec.Ports)
	}
	// The rules tell the reaper's archive from a component by the job, which is the Service's name.
	if service.Metadata.Name != "audit-reaper" {
		t.Errorf("the Service is named %q: the alert AuditComponentSilent leaves out the job audit-reaper", service.Metadata.Name)
	}
}
