package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/spool"
)

// auditctl runs the command and returns its exit code and what it prints.
func auditctl(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	return auditctlReading(t, "", args...)
}

// auditctlReading is auditctl with a text on its standard input.
func auditctlReading(t *testing.T, in string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e strings.Builder
	code = run(t.Context(), args, strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.yaml")
	if err := os.WriteFile(path, []byte("apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckPrintsTheChainsOfTheExamplesFiles(t *testing.T) {
	for path, want := range map[string]string{
		"../../examples/controller/audit.yaml": `broker: multi(all)[kube, retry(loki)]: acknowledged, fails closed, timeout 3s, detached
controller: kube: acknowledged, fails open, timeout 5s, detached
webhook: log(stderr): accepted, fails open, timeout 2s, detached
`,
		"../../examples/failclosed/audit.yaml": "broker: log(audit.log): durable, fails closed, timeout 3s, detached\n",
	} {
		if code, out, errOut := auditctl(t, "check", path); code != 0 || out != want || errOut != "" {
			t.Errorf("%s: %d\n%s%s\nwant:\n%s", path, code, out, errOut, want)
		}
	}
}

func TestCheckPrintsEveryErrorOfABadFileWithItsLine(t *testing.T) {
	path := file(t, "sinks:\n  a: {type: lok, path: stderr}\n  b: {type: loki, url: http://loki:3100, tenantId: x}\ncomponents:\n  broker: {sink: c}\n")
	want := path + `:4: sinks.a.type: lok is not a known type: did you mean log?: there are flood, kube, log, loki, multi, retry, route, spool
` + path + `:5: sinks.b.tenantId: is not a known key: did you mean tenantID?
` + path + `:7: components.broker.sink: there is no sink c: there are a, b
`
	if code, out, errOut := auditctl(t, "check", path); code != 1 || out != "" || errOut != want {
		t.Errorf("%d %s\n%s\nwant:\n%s", code, out, errOut, want)
	}
}

func TestSinksListsEveryTypeWithItsKeysAndDefaults(t *testing.T) {
	code, out, _ := auditctl(t, "sinks")
	if code != 0 {
		t.Fatal(code)
	}
	for _, want := range []string{
		"loki: Grafana Loki", "http.basic_auth.password_file", "default 10s", "required", "spool: ", "log: ", "kube: ", "multi: ", "list of sinks",
		"default 16777216", "fail | block",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

func TestSendSaysWhatWasConfirmed(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	path := file(t, "sinks:\n  disk: {type: log, path: "+log+", fsync: true}\ncomponents:\n  broker: {sink: disk}\n")
	code, out, errOut := auditctl(t, "send", "--config", path, "--component", "broker")
	if code != 0 || !strings.Contains(out, "of component broker\ndurable by log("+log+")") || !strings.Contains(out, "on the local disk") {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
	data, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(data), `"paddock.dev/component":"broker"`) {
		t.Errorf("the log holds %s: %v", data, err)
	}
}

func TestSendOpensTheChainOfItsComponentAlone(t *testing.T) {
	dir := t.TempDir()
	path := file(t, "sinks:\n  disk: {type: log, path: "+filepath.Join(dir, "audit.log")+", fsync: true}\n"+
		"  queue: {type: spool, dir: "+filepath.Join(dir, "spool")+", next: lake}\n  lake: {type: log, path: stderr}\n"+
		"components:\n  broker: {sink: disk}\n  proxy: {sink: queue}\n")
	running, err := spool.New(filepath.Join(dir, "spool"), &sinktest.Recorder{}, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = running.Close(context.Background()) }()
	if code, out, errOut := auditctl(t, "send", "--config", path, "--component", "broker"); code != 0 {
		t.Errorf("beside the spool of another component: %d\n%s%s", code, out, errOut)
	}
	if code, _, errOut := auditctl(t, "send", "--config", path, "--component", "proxy"); code != 1 || !strings.Contains(errOut, "what is in use") || !strings.Contains(errOut, "send through the component") {
		t.Errorf("with its own spool in use: %d\n%s", code, errOut)
	}
}

func TestSendFailsWhereTheComponentWouldGoOnUnrecorded(t *testing.T) {
	path := file(t, "sinks:\n  lake: {type: loki, url: 'http://127.0.0.1:1', check: skip}\ncomponents:\n  broker: {sink: lake, onFailure: open}\n")
	code, out, errOut := auditctl(t, "send", "--config", path, "--component", "broker", "--timeout", "2s")
	if code != 1 || out != "" || !strings.Contains(errOut, "audit write failed") {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
	if code, _, errOut := auditctl(t, "send", "--config", path, "--component", "brokr"); code != 1 || !strings.Contains(errOut, "did you mean broker?") {
		t.Errorf("%d %s", code, errOut)
	}
}

func TestWrongArgumentsAreAnsweredWithTheUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"chek"}, {"check"}, {"send"}, {"send", "--confg", "x"}} {
		if code, _, errOut := auditctl(t, args...); code != 2 || !strings.Contains(errOut, "usage:") {
			t.Errorf("%v: %d %s", args, code, errOut)
		}
	}
}

func TestSchemaPrintsWhatLiesInDeploy(t *testing.T) {
	want, err := os.ReadFile("../../deploy/audit-configuration.schema.json")
	if code, out, _ := auditctl(t, "schema"); err != nil || code != 0 || out != string(want) {
		t.Errorf("%d %v", code, err)
	}
}
