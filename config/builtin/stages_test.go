package builtin_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

// series returns the value of each series of a metric. The keys are the values of its
// labels.
func series(t *testing.T, reg prometheus.Gatherer, metric string) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if f.GetName() == metric {
				found[strings.Join(values, " ")] = m.GetCounter().GetValue()
			}
		}
	}
	return found
}

func TestStagesKeepCountingAfterReload(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.yaml")
	text := `apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
sinks:
  dam: {type: flood, next: patient}
  patient: {type: retry, next: file, maxAttempts: 3}
  file: {type: log, path: ` + filepath.Join(dir, "audit.log") + `}
components:
  proxy: {sink: dam, onFailure: open}
`
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	reg := prometheus.NewRegistry()
	trail, err := config.Open(t.Context(), path, builtin.Types(), config.Deps{Static: true, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := trail.For("proxy").Write(t.Context(), auditing.NewEvent(auditing.EventInput{
			Namespace: "team-a", RunName: "run-7", Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionDenied,
		}))
		if err != nil {
			t.Fatal(err)
		}
		write(strings.ReplaceAll(text, "maxAttempts: 3", "maxAttempts: 4"))
		if err := trail.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := series(t, reg, "paddock_audit_retry_attempts_total"); len(got) != 4 || got["ok patient"] != 2 {
		t.Errorf("retry counted %v, want 2 attempts of patient", got)
	}
	if got := series(t, reg, "paddock_audit_flood_refused_total"); len(got) != 3 {
		t.Errorf("flood shows %v, want 3 reasons at 0", got)
	}
	if err := trail.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if got := series(t, reg, "paddock_audit_retry_attempts_total"); len(got) != 0 {
		t.Errorf("after Close there are %v", got)
	}
}
