package builtin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

func TestRoutesOfAFileAreFollowed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.yaml")
	text := strings.ReplaceAll(`apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
sinks:
  ways:
    type: route
    routes:
      - {kinds: [credential-*], next: vault}
      - {decisions: [denied, warned], namespaces: [team-*], next: both}
    rest: drop
  both: {type: multi, next: [vault, lake]}
  vault: {type: log, path: DIR/vault.log, fsync: true}
  lake: {type: log, path: DIR/lake.log, fsync: true}
components:
  broker: {sink: ways, onFailure: closed}
`, "DIR", dir)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	trail, err := config.Open(t.Context(), path, builtin.Types(), config.Deps{Static: true})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll("route[credential-*: log(DIR/vault.log), denied|warned in team-*: multi(all)[log(DIR/vault.log), log(DIR/lake.log)], rest: dropped]", "DIR", dir)
	if chain := auditing.Chain(trail.For("broker")); chain != want {
		t.Errorf("chain %s, want %s", chain, want)
	}
	for _, in := range []auditing.EventInput{
		{Kind: "credential-issued", Decision: v1alpha1.AuditDecisionGranted, Namespace: "team-a"},
		{Kind: "egress-block", Decision: v1alpha1.AuditDecisionDenied, Namespace: "team-a"},
		{Kind: "egress-allow", Decision: v1alpha1.AuditDecisionGranted, Namespace: "team-a"},
	} {
		if err := trail.For("broker").Write(t.Context(), auditing.NewEvent(in)); err != nil {
			t.Fatal(err)
		}
	}
	if err := trail.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{"vault.log": {"credential-issued", "egress-block"}, "lake.log": {"egress-block"}} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		if len(lines) != len(want) {
			t.Fatalf("%s has %d lines, want %d", name, len(lines), len(want))
		}
		for i, kind := range want {
			if !strings.Contains(lines[i], `"msg":"`+kind+`"`) {
				t.Errorf("%s line %d is %s", name, i, lines[i])
			}
		}
	}
}

func TestBadRoutesOfAFileAreNamed(t *testing.T) {
	for routes, want := range map[string]string{
		`[]`:                                     "sinks.ways.routes: ",
		`[{kinds: [Credential], next: out}]`:     "sinks.ways.routes[0]: kinds[0]: want lower-case",
		`[{decisions: [refused], next: out}]`:    "sinks.ways.routes[0].decisions[0]: ",
		`[{next: out}, {kinds: [a], next: out}]`: "route 0 takes every event",
		`[{kinds: [a], next: oud}]`:              `there is no sink oud: did you mean out`,
		`[{kinds: [a]}]`:                         "sinks.ways.routes[0].next: ",
		`[{kinds: [a], next: ways}]`:             "the chain comes back to itself",
	} {
		_, err := config.Parse("audit.yaml", []byte(`apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
sinks:
  ways: {type: route, routes: `+routes+`}
  out: {type: log, path: stderr}
components:
  broker: {sink: ways, onFailure: open}
`), builtin.Types())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", routes, err, want)
		}
	}
}
