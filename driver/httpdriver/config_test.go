package httpdriver_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/driver/httpdriver"
)

// ledgerSection is the section of a Ledger in a configuration.
type ledgerSection struct {
	URL                string `yaml:"url" required:"true" doc:"address of the ledger"`
	httpdriver.Options `yaml:",inline"`
}

func (s *ledgerSection) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "ledger", Level: auditing.LevelAcknowledged}
}

func (s *ledgerSection) Open(context.Context, config.Opening) (auditing.Sink, error) {
	return NewLedger(s.URL, s.Options)
}

func TestOptionsAreKeysOfAConfiguration(t *testing.T) {
	t.Parallel()
	var types config.Types
	if err := types.Add(config.Type{Name: "ledger", New: func() config.Section { return &ledgerSection{} }}); err != nil {
		t.Fatal(err)
	}
	tenants := make(chan string, 1)
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // and not for the Check of Open
			tenants <- r.Header.Get("X-Scope-OrgID")
		}
	})
	file := func(keys string) []byte {
		return []byte("apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\nsinks: {a: {type: ledger, url: '" + address + "', " + keys + "}}\ncomponents: {proxy: {sink: a}}\n")
	}
	path := filepath.Join(t.TempDir(), "audit.yaml")
	if err := os.WriteFile(path, file("tenantID: team-a, timeout: 3s, refusalGrace: -1s, http: {authorization: {credentials: hunter2}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	trail, err := config.Open(shortly(t), path, &types, config.Deps{Static: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := trail.For("proxy").Write(shortly(t), auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"})); err != nil {
		t.Error(err)
	}
	if tenant := soon(t, tenants); tenant != "team-a" {
		t.Errorf("the tenant is %q", tenant)
	}
	if err := trail.Close(shortly(t)); err != nil {
		t.Error(err)
	}
	_, err = config.Parse("audit.yaml", file("tenantID: \"a\\nb\", http: {follow_redirects: true, bearer_token: hunter2, authorization: {credentials: hunter2}}"), &types)
	contains(t, err, "sinks.a.tenantID", "sinks.a.http.follow_redirects", "bearer_token")
	lacks(t, err, "hunter2")
	for _, key := range []string{"judge: x", "maxBody: 3", "name: x"} { // for programs
		_, err = config.Parse("audit.yaml", file(key), &types)
		contains(t, err, "sinks.a", "not a known key")
	}
}
