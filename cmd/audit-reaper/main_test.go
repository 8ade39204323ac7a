package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
)

// reaperEnv makes the test binary the command, with a clock that is a day and an
// hour ahead: events that a test has just stored may go.
const reaperEnv = "AUDIT_REAPER_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(reaperEnv) == "" {
		os.Exit(testenv.Run(m))
	}
	os.Exit(process(later))
}

func later() time.Time { return time.Now().Add(25 * time.Hour) }

const day = 24 * time.Hour

// write makes a file of the test's own and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kubeconfig writes cfg as a file.
func kubeconfig(t *testing.T, cfg *rest.Config) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: cfg.Host, CertificateAuthorityData: cfg.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: cfg.BearerToken, Impersonate: cfg.Impersonate.UserName, ImpersonateGroups: cfg.Impersonate.Groups}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	}, path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// command is the test binary as the command, not yet started.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), binary, args...)
	// The race detector sleeps for a second at the end of a program that still has goroutines.
	cmd.Env = append(os.Environ(), reaperEnv+"=1", "KUBECONFIG=", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// reaper runs the command to its end.
func reaper(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := command(t, args...)
	cmd.Stdout, cmd.Stderr = &o, &e
	_ = cmd.Run() // the exit code says it
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

func newClient(t *testing.T, cfg *rest.Config) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func create(t *testing.T, c client.Client, ns, name string, kind v1alpha1.AuditKind, age time.Duration) {
	t.Helper()
	ae := auditing.NewEvent(auditing.EventInput{
		Namespace: ns, Kind: kind, Decision: v1alpha1.AuditDecisionGranted, Reason: "a test", When: later().Add(-age),
	})
	ae.Name = name
	ae.Labels[v1alpha1.LabelComponent] = "proxy"
	if err := c.Create(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
}

// left returns the names of the events in a namespace, in order.
func left(t *testing.T, c client.Client, ns string) string {
	t.Helper()
	var events v1alpha1.AuditEventList
	if err := c.List(t.Context(), &events, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range events.Items {
		names = append(names, events.Items[i].Name)
	}
	return strings.Join(names, " ")
}

// retentionFor keeps a week in one namespace and, so that tests leave each
// other alone, everything else for ever.
func retentionFor(t *testing.T, ns, more string) string {
	t.Helper()
	return write(t, "retention.yaml", "default: 36500d\nrules:\n  - {namespace: "+ns+", keep: 7d}\n"+more)
}

func TestDryRunPrintsExpiredEventsAndChangesNothing(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	create(t, c, ns, "a1", "egress-allow", 8*day)
	create(t, c, ns, "a2", "egress-allow", 9*day)
	create(t, c, ns, "b1", "run-failed", 10*day)
	create(t, c, ns, "young", "run-failed", 6*day)
	code, out, errOut := reaper(t, "-kubeconfig", kubeconfig(t, server.Config), "-config", retentionFor(t, ns, ""), "-dry-run")
	oldest := func(age time.Duration) string { return later().Add(-age).UTC().Format("2006-01-02T15") }
	for _, want := range []string{
		"NAMESPACE ", ns + "  egress-allow  2       " + oldest(9*day), "  a2\n", ns + "  run-failed    1       " + oldest(10*day), "  b1\n", "3 of ", " events would go.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if code != 0 || errOut != "" {
		t.Errorf("%d %s", code, errOut)
	}
	if got := left(t, c, ns); got != "a1 a2 b1 young" {
		t.Errorf("left are %s", got)
	}
}

const auditHead = "apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\n"

func TestOnceArchivesAndDeletes(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	create(t, c, ns, "old", "egress-allow", 8*day)
	create(t, c, ns, "young", "egress-allow", 6*day)
	log := filepath.Join(t.TempDir(), "archive.log")
	audit := write(t, "audit.yaml", auditHead+"sinks:\n  disk: {type: log, path: "+log+", fsync: true}\ncomponents:\n  audit-reaper: {sink: disk}\n")
	code, _, errOut := reaper(t, "-kubeconfig", kubeconfig(t, server.Config), "-config", retentionFor(t, ns, ""),
		"-namespace", ns, "-audit-config", audit, "-archive", "disk", "-once")
	if code != 0 || !strings.Contains(errOut, `"level":"INFO"`) || !strings.Contains(errOut, `"deleted":1,"archived":1`) {
		t.Errorf("%d\n%s", code, errOut)
	}
	if got := left(t, c, ns); got != "young" {
		t.Errorf("left are %s", got)
	}
	data, err := os.ReadFile(log)
	if err != nil || strings.Count(string(data), "\n") != 1 || !strings.Contains(string(data), `"name":"old"`) ||
		!strings.Contains(string(data), `"paddock.dev/component":"proxy"`) {
		t.Errorf("the archive holds %s: %v", data, err)
	}
}

func TestArgumentsThatCannotWorkAreRefusedAtTheStart(t *testing.T) {
	server := testenv.SharedKube(t)
	kc := kubeconfig(t, server.Config)
	self := write(t, "audit.yaml", auditHead+"sinks:\n  k: {type: kube}\ncomponents:\n  r: {sink: k}\n")
	console := write(t, "audit.yaml", auditHead+"sinks:\n  std: {type: log, path: stderr}\n  disk: {type: log, path: /dev/null}\ncomponents:\n  r: {sink: std, onFailure: open}\n")
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "-audit-config and -archive or -tombstones need each other", []string{"-archive", "lake"}},
		{2, "-audit-config and -archive or -tombstones need each other", []string{"-tombstones", "sealed"}},
		{2, "-place is for tombstones", []string{"-place", "prod"}},
		{2, "-audit-config and -archive or -tombstones need each other", []string{"-audit-config", "a.yaml"}},
		{2, "flag provided but not defined: -cnfig", []string{"-cnfig", "x"}},
		{2, `"run" is no flag`, []string{"run"}},
		{2, "-dry-run makes one pass without -once", []string{"-dry-run", "-once"}},
		{1, "no such file or directory", []string{"-config", "none.yaml"}},
		{1, "retention.yaml:1: default: is too short: want at least 1d", []string{"-config", write(t, "retention.yaml", "default: 1h")}},
		{1, "finding the API server", []string{"-kubeconfig", "none"}},
		{1, "the archive must not be the API server that events are deleted from", []string{"-kubeconfig", kc, "-audit-config", self, "-archive", "k", "-once"}},
		{1, "the archive log(stderr) is at level accepted", []string{"-kubeconfig", kc, "-audit-config", console, "-archive", "std", "-once"}},
		{1, "no component uses the sink disk, so it is not open", []string{"-kubeconfig", kc, "-audit-config", console, "-archive", "disk", "-once"}},
		{1, "there is no sink stdd: did you mean std?", []string{"-kubeconfig", kc, "-audit-config", console, "-archive", "stdd", "-once"}},
	} {
		if code, out, errOut := reaper(t, c.args...); code != c.code || out != "" || !strings.Contains(errOut, c.want) {
			t.Errorf("%v: %d %s%s\nwant %d with %s", c.args, code, out, errOut, c.code, c.want)
		}
	}
}

func TestVersionAndHelpArePrinted(t *testing.T) {
	if code, out, _ := reaper(t, "-version"); code != 0 || !strings.HasPrefix(out, "audit-reaper ") || !strings.Contains(out, " go1.") {
		t.Errorf("%d %s", code, out)
	}
	if code, _, errOut := reaper(t, "-help"); code != 0 || !strings.Contains(errOut, "-leader-elect") {
		t.Errorf("%d %s", code, errOut)
	}
}
