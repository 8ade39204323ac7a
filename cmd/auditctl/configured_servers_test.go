package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/internal/testenv"
)

const password = "hunter2-of-the-gateway"

// gateway stands in front of a server and asks for a password. away makes it answer as if
// the password were wrong.
func gateway(t *testing.T, address string) (at string, away *atomic.Bool) {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	away = &atomic.Bool{}
	next := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, given, _ := r.BasicAuth(); given != password || away.Load() {
			http.Error(w, "not with "+given, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, away
}

// everyServer returns a configuration with a destination of each kind.
func everyServer(t *testing.T, kubeconfig, lokiURL, vlURL string) string {
	t.Helper()
	dir := t.TempDir()
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	auth := "http: {basic_auth: {username: audit, password_file: " + secret + "}}"
	return file(t, fmt.Sprintf(`sinks:
  all:     {type: multi, next: [cluster, queue, archive, disk]}
  cluster: {type: kube, kubeconfig: %[1]s}
  queue:   {type: spool, dir: %[2]s/spool, next: calm}
  calm:    {type: retry, next: lake}
  lake:    {type: loki, url: %[3]s/loki/api/v1/push, serviceName: trail, labels: {site: a}, tenantID: team, %[5]s}
  archive: {type: loki, server: victorialogs, url: %[4]s/insert/loki/api/v1/push, serviceName: trail, labels: {site: a}, tenantID: "31:7", %[5]s}
  disk:    {type: log, path: %[2]s/audit.log}
components:
  proxy: {sink: all, timeout: 30s}
`, kubeconfig, dir, lokiURL, vlURL, auth))
}

// writeThrough writes events as a component does, and returns their names.
func writeThrough(t *testing.T, path, ns string) (names []string) {
	t.Helper()
	trail, err := config.Open(t.Context(), path, builtin.Types(), config.Deps{Static: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
		defer cancel()
		if err := trail.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	for range 5 {
		ae := auditing.NewEgressBlock(auditing.EgressInput{Namespace: ns, RunName: "hr-1", Host: "example.com", Port: 443, Reason: "no policy"})
		if err := trail.For("proxy").Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
		names = append(names, ae.Name)
	}
	return names
}

// A component writes through a configuration, and auditctl reads everything back with it.
func TestWhatAConfigurationWritesIsReadBackWithIt(t *testing.T) {
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(server.Kubeconfig(), kubeconfig); err != nil {
		t.Fatal(err)
	}
	lokiURL, lokiAway := gateway(t, testenv.NewLoki(t, testenv.LokiOptions{Tenants: true}).URL)
	vlURL, _ := gateway(t, testenv.SharedVictoriaLogs(t).URL)
	path := everyServer(t, kubeconfig, lokiURL, vlURL)
	names := writeThrough(t, path, ns)
	reads := func(want int, command string, more ...string) (out, errOut string) {
		t.Helper()
		args := append(strings.Fields(command), "--config", path, "--since", "1h", "-n", ns)
		code, out, errOut := auditctl(t, append(args, more...)...)
		if code != want {
			t.Fatalf("%s %v: exit %d, want %d\n%s%s", command, more, code, want, out, errOut)
		}
		if strings.Contains(out+errOut, password) {
			t.Errorf("%s prints the password: %s%s", command, out, errOut)
		}
		return out, errOut
	}
	// VictoriaLogs shows what it has confirmed within seconds, and the spool delivers by itself.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		code, out, errOut := auditctl(t, "diff", "--config", path, "-n", ns)
		if code == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the places differ still: %d\n%s%s", code, out, errOut)
		}
	}

	for from, places := range map[string]string{
		"": "archive,cluster,disk,lake", "all": "cluster,lake,archive,disk", "lake": "lake", "queue": "lake", "archive,cluster": "archive,cluster",
	} {
		args := []string{"-o", "wide", "--no-headers"}
		if from != "" {
			args = append(args, "--from", from)
		}
		out, _ := reads(0, "get", args...)
		if n := strings.Count(out, "  "+places+"\n"); n != len(names) || strings.Count(out, "\n") != n {
			t.Errorf("--from %q: %d events in %s, want %d\n%s", from, n, places, len(names), out)
		}
	}
	if out, _ := reads(0, "count", "--by", "decision", "-o", "csv"); !strings.Contains(out, "denied,5,5\n") {
		t.Errorf("count prints\n%s", out)
	}
	for _, command := range []string{"export", "logs"} {
		if out, _ := reads(0, command); strings.Count(out, "\n") != len(names) {
			t.Errorf("%s prints\n%s", command, out)
		}
	}

	remove(t, server, ns, names[1])
	out, _ := reads(wrong, "diff cluster lake -o ndjson")
	var d struct{ Finding, Place string }
	if err := json.Unmarshal([]byte(out), &d); err != nil || d.Finding != "missing" || d.Place != "cluster" || !strings.Contains(out, names[1]) {
		t.Errorf("diff: %v\n%s", err, out)
	}
	reads(0, "diff lake archive disk queue")
	code, out, errOut := auditctl(t, "show", names[1], "--config", path)
	if code != wrong || !strings.Contains(out, "cluster  -") || strings.Contains(out, "queue") || strings.Count(out, "  same\n") != 3 {
		t.Errorf("show: %d\n%s%s", code, out, errOut)
	}

	lokiAway.Store(true)
	out, errOut = reads(sourceFailed, "get", "-o", "ndjson")
	if strings.Count(out, "\n") != len(names) || !strings.Contains(errOut, "the source lake failed") || !strings.Contains(errOut, "check the tenant and the credentials") {
		t.Errorf("with a Loki that refuses:\n%s%s", out, errOut)
	}
	reads(0, "get", "--from", "cluster,archive")
}

// remove deletes an event from the API server.
func remove(t *testing.T, server *testenv.Kube, ns, name string) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(server.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	gone := &v1alpha1.AuditEvent{}
	gone.Namespace, gone.Name = ns, name
	if err := c.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
}
