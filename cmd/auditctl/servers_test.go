package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/multi"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	code := testenv.Run(m)
	_ = os.RemoveAll(program.dir) // "" when no test needed it
	os.Exit(code)
}

// program is auditctl as the tests of this binary build it, once.
var program struct {
	once sync.Once
	dir  string
	err  error
}

// built returns the path of auditctl.
func built(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "auditctl-"); program.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", program.dir, ".").CombinedOutput()
		if err != nil {
			program.err = fmt.Errorf("building auditctl: %w\n%s", err, out)
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return filepath.Join(program.dir, "auditctl")
}

// The test writes the same events to an API server, VictoriaLogs and Loki, and then deletes
// one event from the API server.
func TestServersAreReadAndCompared(t *testing.T) {
	server, vl, l := testenv.SharedKube(t), testenv.SharedVictoriaLogs(t), testenv.NewLoki(t, testenv.LokiOptions{})
	ns := server.Namespace(t)
	c, kubeconfig := clientOf(t, server)
	names := writeEverywhere(t, c, vl, l, ns)
	from := []string{"--kubeconfig", kubeconfig, "--victorialogs", vl.URL, "--loki", l.URL, "--since", "1h", "-n", ns}

	get := func() (lines []string) {
		t.Helper()
		code, out, errOut := auditctl(t, append([]string{"get", "-o", "ndjson"}, from...)...)
		if code != 0 {
			t.Fatalf("get: %d\n%s%s", code, out, errOut)
		}
		return strings.Split(strings.TrimSpace(out), "\n")
	}
	// VictoriaLogs shows what it has confirmed within seconds.
	differences := func() (code int, out string) {
		t.Helper()
		code, out, errOut := auditctl(t, append([]string{"diff", "-o", "ndjson"}, from...)...)
		if code > 1 {
			t.Fatalf("diff: %d\n%s", code, errOut)
		}
		return code, out
	}
	deadline := time.Now().Add(time.Minute)
	for code, out := differences(); code != 0; code, out = differences() {
		if time.Now().After(deadline) {
			t.Fatalf("the places differ still: %s", out)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if lines := get(); len(lines) != len(names) {
		t.Errorf("%d events, want %d", len(lines), len(names))
	}

	gone := &v1alpha1.AuditEvent{}
	gone.Namespace, gone.Name = ns, names[1]
	if err := c.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	code, out := differences()
	var d struct{ Finding, Place string }
	if err := json.Unmarshal([]byte(out), &d); err != nil || code != 1 || d.Finding != "missing" || d.Place != "cluster" || !strings.Contains(out, names[1]) {
		t.Errorf("diff: %d\n%s%v", code, out, err)
	}
	code, out, errOut := auditctl(t, append([]string{"show", names[0]}, from[:6]...)...)
	for _, place := range []string{"cluster", "victorialogs", "loki"} {
		if !strings.Contains(out, place) {
			t.Errorf("show names no %s: %d\n%s%s", place, code, out, errOut)
		}
	}
	code, out, errOut = auditctl(t, "get", "--loki", "http://127.0.0.1:1", "--kubeconfig", kubeconfig, "-n", ns)
	if code != sourceFailed || !strings.Contains(out, "egress-block") || !strings.Contains(errOut, "loki") {
		t.Errorf("with a Loki that is away: %d\n%s%s", code, out, errOut)
	}
}

// clientOf returns a client of an API server, and the path of a kubeconfig.
func clientOf(t *testing.T, server *testenv.Kube) (c client.Client, kubeconfig string) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(server.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(server.Kubeconfig(), kubeconfig); err != nil {
		t.Fatal(err)
	}
	return c, kubeconfig
}

// writeEverywhere writes events to the three servers, and returns their names.
func writeEverywhere(t *testing.T, c client.Client, vl *testenv.VictoriaLogs, l *testenv.Loki, ns string) (names []string) {
	t.Helper()
	made := func(s *loki.Sink, err error) auditing.Sink {
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	all, err := multi.New([]multi.Child{
		{Name: "kube", Sink: kube.Sink{Client: c}},
		{Name: "victorialogs", Sink: made(loki.New(vl.URL+"/insert", loki.Options{Server: loki.ServerVictoriaLogs}))},
		{Name: "loki", Sink: made(loki.New(l.URL, loki.Options{}))},
	}, multi.Options{Component: "proxy"})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		ae := auditing.NewEgressBlock(auditing.EgressInput{Namespace: ns, RunName: "hr-1", Host: "example.com", Port: 443, Reason: "no policy"})
		if err := all.Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
		names = append(names, ae.Name)
	}
	if err := all.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	return names
}
