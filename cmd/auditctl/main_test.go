package main

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/spool"
)

// auditctl runs the command and returns its exit code and what it prints.
func auditctl(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	return auditctlIn(t, &environment{}, args...)
}

// auditctlIn is auditctl in an environment, whose unset fields it sets.
func auditctlIn(t *testing.T, env *environment, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e strings.Builder
	env.out, env.errOut, env.name, env.local = &o, &e, cmp.Or(env.name, "auditctl"), time.UTC
	if env.in == nil {
		env.in = strings.NewReader("")
	}
	if env.now == nil {
		env.now = time.Now
	}
	if env.getenv == nil {
		env.getenv = func(string) string { return "" }
	}
	code = run(t.Context(), env, args)
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
		"../../examples/controller/audit.yaml": `broker: seal(multi(all)[kube, retry(loki)]): acknowledged, fails closed, timeout 3s, detached
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
	want := path + `:4: sinks.a.type: lok is not a known type: did you mean log?: there are flood, kube, log, loki, multi, otlp, retry, route, seal, spool, webhook
` + path + `:5: sinks.b.tenantId: is not a known key: did you mean tenantID?
` + path + `:7: components.broker.sink: there is no sink c: there are a, b
`
	if code, out, errOut := auditctl(t, "check", path); code != 1 || out != "" || errOut != want {
		t.Errorf("%d %s\n%s\nwant:\n%s", code, out, errOut, want)
	}
}

func TestCheckReadsTheFilesOfKeys(t *testing.T) {
	key := filepath.Join(t.TempDir(), "broker.key")
	path := file(t, "sinks:\n  a: {type: seal, next: b, key: {file: "+key+"}}\n  b: {type: log, path: stderr}\ncomponents:\n  broker: {sink: a, onFailure: open}\n")
	missing := path + ":4: sinks.a.key.file: there is no key: open " + key + ": no such file or directory\n"
	if code, out, errOut := auditctl(t, "check", path); code != 1 || out != "" || errOut != missing {
		t.Errorf("%d %s\n%s\nwant:\n%s", code, out, errOut, missing)
	}
	if code, out, _ := auditctl(t, "check", "-o", "json", path); code != 1 || !strings.Contains(out, "sinks.a.key.file") {
		t.Errorf("%d %s", code, out)
	}
	for _, form := range []string{"text", "json"} {
		if code, _, errOut := auditctl(t, "check", "--no-key-files", "-o", form, path); code != 0 || errOut != "" {
			t.Errorf("without the files: %d %s", code, errOut)
		}
	}
	if err := os.WriteFile(key, []byte("PRIVATE+KEY+hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := auditctl(t, "check", path); code != 1 || !strings.Contains(errOut, "holds no signing key") || strings.Contains(out+errOut, "hunter2") {
		t.Errorf("a wrong key: %d %s%s", code, out, errOut)
	}
	if code, _, errOut := auditctl(t, "keys", "new", "--name", "broker", "--out", key+"2"); code != 0 || os.Rename(key+"2", key) != nil {
		t.Fatal(errOut)
	}
	if code, _, errOut := auditctl(t, "check", path); code != 0 || errOut != "" {
		t.Errorf("a good key: %d %s", code, errOut)
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
	if code != 0 || !strings.Contains(out, "of component broker\ndurable by log("+log+")") || !strings.HasSuffix(out, "\nthe event is on the local disk, fsynced\n") {
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

func TestUnknownNamesGetASuggestion(t *testing.T) {
	for args, want := range map[string]string{
		"chek x":              "did you mean check?",
		"spool stat x":        "did you mean stats?",
		"send --confg x":      "did you mean --config?",
		"check -o jsn x":      "did you mean json?",
		"send --decision yes": "want one of granted, denied, warned",
	} {
		if code, _, errOut := auditctl(t, strings.Fields(args)...); code != 2 || !strings.Contains(errOut, want) || !strings.Contains(errOut, "--help") {
			t.Errorf("%s: %d %s, want %s", args, code, errOut, want)
		}
	}
}

func TestHelpVersionAndCompletionExitWithZero(t *testing.T) {
	for args, want := range map[string]string{
		"--help": "Look at configurations", "check --help": "auditctl check FILE...", "help send": "--component",
		"version": "auditctl (devel)", "--version": "auditctl (devel)", "version -o json": `"go": "go1.`,
		"completion bash": "__auditctl", "completion zsh": "#compdef auditctl", "completion fish": "complete -c auditctl",
		"completion powershell": "Register-ArgumentCompleter", "__complete check -o ": "json",
	} {
		list := strings.Fields(args)
		if strings.HasSuffix(args, " ") {
			list = append(list, "")
		}
		if code, out, errOut := auditctl(t, list...); code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s%s, want %s", args, code, out, errOut, want)
		}
	}
}

func TestThePluginCallsItselfKubectlAuditTrail(t *testing.T) {
	code, out, _ := auditctlIn(t, &environment{name: pluginFile}, "check", "--help")
	if code != 0 || !strings.Contains(out, "kubectl audit-trail check FILE...") {
		t.Errorf("%d %s", code, out)
	}
}

func TestKubectlGetsCompletionsOfThePlugin(t *testing.T) {
	for want, args := range map[string][]string{"check\t": {"che"}, "granted\n": {"get", "--decision", ""}} {
		code, out, errOut := auditctlIn(t, &environment{name: pluginCompleteFile}, args...)
		if code != 0 || !strings.HasPrefix(out, want) {
			t.Errorf("%v: %d %s%s, want %s", args, code, out, errOut, want)
		}
	}
}

func TestManWritesAPageForEveryCommand(t *testing.T) {
	dir := t.TempDir()
	if code, _, errOut := auditctl(t, "man", dir); code != 0 {
		t.Fatal(errOut)
	}
	for _, name := range []string{"auditctl", "auditctl-check", "auditctl-spool", "auditctl-spool-requeue"} {
		data, err := os.ReadFile(filepath.Join(dir, name+".1"))
		if err != nil || !strings.HasPrefix(string(data), ".TH ") || !strings.Contains(string(data), ".SH SYNOPSIS") {
			t.Errorf("%s: %v\n%s", name, err, data)
		}
	}
}

func TestCheckTakesSeveralFiles(t *testing.T) {
	good := "../../examples/failclosed/audit.yaml"
	bad := file(t, "sinks:\n  a: {type: lok}\ncomponents:\n  broker: {sink: a}\n")
	code, out, errOut := auditctl(t, "check", good, bad, good)
	if code != 1 || strings.Count(out, good+":\nbroker: log(audit.log)") != 2 || !strings.Contains(errOut, bad+":4: sinks.a.type") {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
	code, out, errOut = auditctl(t, "check", "-o", "json", good, bad)
	var all []checked
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != 1 || errOut != "" || len(all) != 2 {
		t.Fatalf("%d %v\n%s%s", code, err, out, errOut)
	}
	if all[0].Components[0] != (checkedComponent{"broker", "durable"}) || all[1].Good || all[1].Errors[0].Line != 4 {
		t.Errorf("%+v", all)
	}
}

func TestSendRefusesATimeoutBelowZero(t *testing.T) {
	for _, timeout := range []string{"-1s", "0s"} {
		code, _, errOut := auditctl(t, "send", "--config", "x", "--component", "x", "--timeout", timeout)
		if code != 2 || !strings.Contains(errOut, "--timeout") {
			t.Errorf("%s: %d %s", timeout, code, errOut)
		}
	}
}
