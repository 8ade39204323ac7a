package builtin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/sinks/loki"
)

const everyPlace = `apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
redactions:
  people: {rules: [{fields: [spec.actor.user], action: mask}]}
sinks:
  all:     {type: multi, next: [cluster, other, queue, calm, screen]}
  cluster: {type: kube}
  other:   {type: kube, kubeconfig: KUBECONFIG, context: prod}
  queue:   {type: spool, dir: spool, next: again}
  again:   {type: retry, next: lake}
  calm:    {type: flood, next: by-kind}
  by-kind: {type: route, routes: [{kinds: [egress-*], next: disk}, {next: vl}]}
  disk:    {type: log, path: audit.log}
  screen:  {type: log, path: stderr}
  lake:    {type: loki, url: http://loki:3100/gate/loki/api/v1/push, serviceName: trail, labels: {cluster: a}, tenantID: t, http: {basic_auth: {username: u, password: hunter2}}}
  vl:      {type: loki, server: victorialogs, url: http://vl:9428/insert/loki/api/v1/push}
components:
  broker: {sink: all, redact: people, onFailure: open}
`

func TestSectionsSayWhereTheirSinksKeepEvents(t *testing.T) {
	f, err := config.Parse("audit.yaml", []byte(everyPlace), builtin.Types())
	if err != nil {
		t.Fatal(err)
	}
	places, err := f.Places()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range places {
		where := fmt.Sprintf("%#v", p.Where)
		if l, ok := p.Where.(builtin.LokiPlace); ok {
			if strings.Contains(fmt.Sprintf("%v %+v %s %q", l, l, l, l)+where, "hunter2") {
				t.Error("it prints a password")
			}
			where = fmt.Sprint(l.URL, " ", l.Options.Server, " ", l.Options.ServiceName, " ", l.Options.Labels, " ", l.Options.TenantID, " ", l.Options.HTTP.BasicAuth != nil)
		}
		got = append(got, p.Sink+" "+where)
	}
	want := []string{
		`cluster builtin.KubePlace{Kubeconfig:"", Context:""}`,
		`disk builtin.LogPlace{Path:"audit.log"}`,
		`lake http://loki:3100/gate ` + string(loki.ServerLoki) + ` trail map[cluster:a] t true`,
		`other builtin.KubePlace{Kubeconfig:"KUBECONFIG", Context:"prod"}`,
		`queue builtin.SpoolPlace{Dir:"spool"}`,
		`screen <nil>`,
		`vl http://vl:9428/ ` + string(loki.ServerVictoriaLogs) + ` audit map[]  false`,
	}
	if text := strings.Join(got, "\n"); text != strings.Join(want, "\n") {
		t.Errorf("the places are\n%s\nwant\n%s", text, strings.Join(want, "\n"))
	}
}

func TestKubePlaceHonoursKubeconfigAndContext(t *testing.T) {
	write := func(name, current string) string {
		path := filepath.Join(t.TempDir(), name)
		text := "apiVersion: v1\nkind: Config\ncurrent-context: " + current + `
clusters: [{name: a, cluster: {server: "https://a"}}, {name: b, cluster: {server: "https://b"}}]
contexts: [{name: a, context: {cluster: a}}, {name: b, context: {cluster: b}}]
`
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	named := write("named", "a")
	t.Setenv("KUBECONFIG", write("environment", "b"))
	for want, p := range map[string]builtin.KubePlace{
		"https://a": {Kubeconfig: named}, "https://b": {},
	} {
		if cfg, err := p.RESTConfig(); err != nil || cfg.Host != want {
			t.Errorf("%+v: %v %v, want %s", p, cfg, err, want)
		}
	}
	if cfg, err := (builtin.KubePlace{Kubeconfig: named, Context: "b"}).RESTConfig(); err != nil || cfg.Host != "https://b" {
		t.Errorf("the context b: %v %v", cfg, err)
	}
}
