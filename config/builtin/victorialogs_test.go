package builtin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/internal/testenv"
)

func TestVictoriaLogsSinkHasLevelOfFile(t *testing.T) {
	t.Parallel() // it waits until the server has flushed to its disk
	server := testenv.SharedVictoriaLogs(t)
	path := filepath.Join(t.TempDir(), "audit.yaml")
	text := fmt.Sprintf(`apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
sinks:
  quick: {type: loki, server: victorialogs, url: %[1]q, serviceName: quick}
  sure:  {type: retry, next: acks, within: 20s, timeout: 20s}
  acks:  {type: loki, server: victorialogs, url: %[1]q, serviceName: sure, level: acknowledged, oldest: 720h}
components:
  proxy:  {sink: quick, onFailure: open}
  broker: {sink: sure, onFailure: closed, timeout: 30s}
`, server.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	trail, err := config.Open(t.Context(), path, builtin.Types(), config.Deps{Static: true}) // asks the server whether it fits
	if err != nil {
		t.Fatal(err)
	}
	for component, want := range map[string]struct {
		level   auditing.Level
		service string
	}{"proxy": {auditing.LevelNone, "quick"}, "broker": {auditing.LevelAcknowledged, "sure"}} {
		sink := trail.For(component)
		if got := auditing.LevelOf(sink); got != want.level {
			t.Errorf("%s is at level %s, want %s", component, got, want.level)
		}
		ae := auditing.NewEvent(auditing.EventInput{Namespace: "team-a", Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionDenied})
		if err := sink.Write(t.Context(), ae); err != nil {
			t.Errorf("%s: %v", component, err)
		}
		rows, err := server.Query(t.Context(), "", fmt.Sprintf("{service_name=%q}", want.service), time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		if err != nil || len(rows) != 1 || rows[0].Fields["component"] != component || rows[0].Fields["event"] != ae.Name {
			t.Errorf("VictoriaLogs has %v of %s: %v", rows, component, err)
		}
	}
	if err := trail.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
