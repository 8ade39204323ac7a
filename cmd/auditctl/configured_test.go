package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSourcesOfAConfigurationRefuseWrongUse(t *testing.T) {
	inTrail(t)
	header := "apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\n"
	write(t, "stream.yaml", header+"sinks: {screen: {type: log, path: stdout}}\ncomponents: {broker: {sink: screen, onFailure: open}}\n")
	write(t, "loki.yaml", header+"sinks: {loki: {type: loki, url: 'http://loki:3100'}}\ncomponents: {broker: {sink: loki, onFailure: open}}\n")
	for args, want := range map[string]string{
		"get --from lake":                                   "give its file with --config",
		"get --config none.yaml":                            "no such file",
		"get --config audit.yaml --from lakes":              "did you mean lake?: there are again, all, disk, lake, queue, screen",
		"diff --config audit.yaml disk lakes":               "did you mean lake?",
		"diff --config audit.yaml disk copy.log":            "the file of that name is ./copy.log",
		"diff --config audit.yaml disk disk":                "named twice",
		"diff --config audit.yaml disk":                     "two places or more",
		"show ae-1 --config audit.yaml nowhere":             "there is no sink nowhere",
		"get --config audit.yaml --from screen":             "log(stderr) keeps no events",
		"diff --config audit.yaml disk screen":              "the sink screen cannot be read",
		"get --config stream.yaml":                          "no sink that components use can be read",
		"get --config loki.yaml --loki http://loki:3100":    "two sources are called loki",
		"get --config loki.yaml --tenant a":                 "has the key tenantID",
		"get --tenant a audit.log":                          "--tenant is for --loki and --victorialogs",
		"get --spool spool --spool spool":                   "two sources are called spool spool",
		"logs -f --config audit.yaml --from queue --last 1": "excludes -f",
	} {
		code, out, errOut := auditctl(t, strings.Fields(args)...)
		if code != misused || out != "" || !strings.Contains(errOut, want) {
			t.Errorf("%s: %d %s%s, want %s", args, code, out, errOut, want)
		}
	}
}

// A stage stands for what is behind it, and a sink that several names lead to is read once.
func TestStagesLeadToTheirDestinations(t *testing.T) {
	inTrail(t)
	for args, want := range map[string]string{
		"--from all":                "disk,queue,lake",
		"--from again":              "lake",
		"--from queue":              "queue,lake",
		"--from lake,again,disk":    "lake,disk",
		"--from disk ./copy.log":    "disk,files",
		"--from lake --spool spool": "lake,spool spool",
		"":                          "disk,lake,queue",
	} {
		args := append(strings.Fields("get --config audit.yaml -o wide --no-headers --run hr-1 --decision denied"), strings.Fields(args)...)
		code, out, errOut := auditctl(t, args...)
		rows := strings.Split(strings.TrimSpace(out), "\n")
		if code != 0 || len(rows) != 1 || !strings.HasSuffix(rows[0], "  "+want) {
			t.Errorf("%v: %d, want %s\n%s%s", args, code, want, out, errOut)
		}
	}
}

func TestLogsFollowTheSinksOfAConfiguration(t *testing.T) {
	inTrail(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := &screen{changed: make(chan struct{}, 1)}
	env := &environment{
		in: strings.NewReader(""), out: s, errOut: s, name: "auditctl", local: time.UTC, now: time.Now, getenv: func(string) string { return "" },
	}
	running, stop := context.WithCancel(ctx)
	code := make(chan int, 1)
	go func() { code <- run(running, env, []string{"logs", "-f", "--config", "audit.yaml", "--from", "queue"}) }()
	s.shows(ctx, t, "not read: queue (spool(retry(log(lake.log))) cannot be followed)", 1)
	s.shows(ctx, t, "egress-block ", 2)
	file, err := os.OpenFile("lake.log", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(lines(trail(t)[5])); err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	s.shows(ctx, t, "egress-allow", 1)
	stop()
	select {
	case got := <-code:
		if got != 0 {
			t.Errorf("exit %d", got)
		}
	case <-ctx.Done():
		t.Error("logs -f goes on after its context has ended")
	}
}

// A kube sink without a kubeconfig is read as kubectl would with the same flags. Nothing
// answers at either address.
func TestKubectlsFlagsAreForKubeSinksWithoutKubeconfig(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := "apiVersion: v1\nkind: Config\ncurrent-context: a\n" +
		"clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}, {name: b, cluster: {server: 'http://127.0.0.1:2'}}]\n" +
		"contexts: [{name: a, context: {cluster: a}}, {name: b, context: {cluster: b}}]\n"
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)
	path := file(t, "sinks:\n  own: {type: kube}\n  named: {type: kube, kubeconfig: "+kubeconfig+", context: b}\n"+
		"components: {broker: {sink: own}, proxy: {sink: named}}\n")
	for _, c := range []struct {
		args   string
		want   []string
		absent string
	}{
		{"", []string{"the source own failed", "127.0.0.1:1", "the source named failed", "127.0.0.1:2"}, "cluster"},
		{"--from own", []string{"the source own failed", "127.0.0.1:1"}, "127.0.0.1:2"},
		{"--from own --context b", []string{"the source own failed", "127.0.0.1:2"}, "127.0.0.1:1"},
		{"--from named --context a", []string{"the source named failed", "127.0.0.1:2", "the source cluster failed", "127.0.0.1:1"}, "own"},
		{"--from own --kube --context b", []string{"the source own failed", "127.0.0.1:2", "the source cluster failed"}, "127.0.0.1:1"},
	} {
		code, out, errOut := auditctl(t, append([]string{"get", "--config", path}, strings.Fields(c.args)...)...)
		if code != sourceFailed || out != "" || strings.Contains(errOut, c.absent) {
			t.Errorf("%s: %d %s%s", c.args, code, out, errOut)
		}
		for _, want := range c.want {
			if !strings.Contains(errOut, want) {
				t.Errorf("%s: want %s in %s", c.args, want, errOut)
			}
		}
	}
}

func TestNamesOfSinksAreCompleted(t *testing.T) {
	inTrail(t)
	for _, args := range [][]string{
		{"__complete", "get", "--config", "audit.yaml", "--from", ""},
		{"__complete", "diff", "--config", "audit.yaml", ""},
	} {
		if code, out, errOut := auditctl(t, args...); code != 0 || !strings.HasPrefix(out, "again\nall\ndisk\nlake\nqueue\nscreen\n:") {
			t.Errorf("%v: %d %s%s", args, code, out, errOut)
		}
	}
}
