package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/paddock-dev/audit/adapters/auditctrl"
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
)

// asProgram in the environment makes the test binary the example itself.
const asProgram = "AUDIT_EXAMPLE_CONTROLLER"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(testenv.Run(m))
}

const review = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","namespace":"NS","name":"hr-1",` +
	`"kind":{"version":"v1","kind":"ConfigMap"},"operation":"CREATE","object":{"apiVersion":"v1","kind":"ConfigMap"}}}`

// configuration is the example's file with the addresses of the test's servers.
func configuration(t *testing.T, loki, console string) string {
	t.Helper()
	data, err := os.ReadFile("audit.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("http://loki:3100", loki, "path: stderr", "path: "+console).Replace(string(data))
}

func writeFile(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// program is the example in a process of its own, with the URLs that it serves.
type program struct {
	broker, webhook, probes, metrics string
	authority                        []byte // of the webhook's certificate
	client                           *http.Client
}

// start runs the example until the test ends. Then it has to end by itself.
func start(t *testing.T, server *testenv.Kube, audit string) program {
	t.Helper()
	kubeconfig, certs := filepath.Join(t.TempDir(), "kubeconfig"), t.TempDir()
	if err := clientcmd.WriteToFile(server.Kubeconfig(), kubeconfig); err != nil {
		t.Fatal(err)
	}
	broker, probes, metrics, hook := freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)
	p := program{
		broker: "http://" + broker.String(), webhook: "https://" + hook.String() + "/admit",
		probes: "http://" + probes.String(), metrics: "http://" + metrics.String(), authority: testenv.WriteCertificate(t, certs),
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	p.client = &http.Client{Transport: transport}

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-config", writeFile(t, "audit.yaml", audit), "-listen", broker.String(), "-probes", probes.String(),
		"-metrics", metrics.String(), "-webhook-port", fmt.Sprint(hook.Port), "-certs", certs)
	cmd.Env = append(os.Environ(), asProgram+"=1", "KUBECONFIG="+kubeconfig)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the example ends with %v", err)
		}
	})
	return p
}

func freeAddress(t *testing.T) *net.TCPAddr {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().(*net.TCPAddr)
}

// ask posts until there is an answer, for the manager takes a moment to serve.
func (p program) ask(t *testing.T, url, body string) int {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		resp, err := p.client.Post(url, "application/json", strings.NewReader(body))
		if err == nil {
			_ = resp.Body.Close()
			return resp.StatusCode
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func newClient(t *testing.T, cfg *rest.Config) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), clientgoscheme.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEachPartWritesWhereTheFileSays(t *testing.T) {
	server, loki := testenv.SharedKube(t), testenv.NewLoki(t, testenv.LokiOptions{})
	ns := server.Namespace(t)
	console := filepath.Join(t.TempDir(), "console.log")
	c := newClient(t, server.Config)
	example := start(t, server, configuration(t, loki.URL, console))

	if status := example.ask(t, example.broker+"/credential?run=hr-1&namespace="+ns, ""); status != http.StatusOK {
		t.Errorf("the broker answers %d", status)
	}
	if status := example.ask(t, example.webhook, strings.Replace(review, "NS", ns, 1)); status != http.StatusOK {
		t.Errorf("the webhook answers %d", status)
	}
	run := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "hr-1", Labels: map[string]string{templateLabel: "small"}}}
	if err := c.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}

	want := []string{"broker", "controller"}
	var inCluster []string
	var stored v1alpha1.AuditEventList
	for deadline := time.Now().Add(30 * time.Second); !slices.Equal(inCluster, want) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err := c.List(t.Context(), &stored, client.InNamespace(ns)); err != nil {
			t.Fatal(err)
		}
		inCluster = nil
		for _, ae := range stored.Items {
			inCluster = append(inCluster, ae.Labels[v1alpha1.LabelComponent])
		}
		slices.Sort(inCluster)
	}
	if !slices.Equal(inCluster, want) {
		t.Errorf("the API server has the events of %v, want %v", inCluster, want)
	}
	for _, ae := range stored.Items {
		switch s := ae.Spec; ae.Labels[v1alpha1.LabelComponent] {
		case "broker":
			if s.Actor == nil || s.Actor.SourceAddress != "127.0.0.1" || s.Request == nil || s.Request.Verb != "POST" {
				t.Errorf("the broker's event has %+v %+v", s.Actor, s.Request)
			}
		case "controller":
			if s.Object == nil || *s.Object != (v1alpha1.AuditObject{Resource: "configmaps", Namespace: ns, Name: "hr-1"}) {
				t.Errorf("the controller's event has %+v", s.Object)
			}
		}
	}
	entries, err := loki.Query(t.Context(), "", `{namespace="`+ns+`"}`, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), 0)
	if err != nil || len(entries) != 1 || entries[0].Labels["component"] != "broker" {
		t.Errorf("Loki has %v, want the broker's event: %v", entries, err)
	}
	data, err := os.ReadFile(console)
	var ae v1alpha1.AuditEvent
	if err != nil || json.Unmarshal(data, &ae) != nil || ae.Labels[v1alpha1.LabelComponent] != "webhook" ||
		ae.Spec.Request == nil || ae.Spec.Request.ID != "1" {
		t.Errorf("the console has %s, want the webhook's event alone: %v", data, err)
	}
	resp, err := example.client.Get(example.probes + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("readiness is answered with %s", resp.Status)
	}
}

// The event of a run has a name of its own, and each attempt another id.
func TestReconcilingARunAgainRecordsItOnce(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	run := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "hr-1", Labels: map[string]string{templateLabel: "small"}}}
	if err := c.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	r := auditctrl.Reconciler(schema.GroupResource{Resource: "configmaps"}, &reconciler{client: c, trail: kube.Sink{Client: c, Component: "controller"}})
	for _, id := range []string{"1", "2"} {
		ctx := auditing.With(t.Context(), auditing.Facts{Request: &v1alpha1.AuditRequest{ID: id}})
		if _, err := r.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(run)}); err != nil {
			t.Error(err)
		}
	}
	var stored v1alpha1.AuditEventList
	if err := c.List(t.Context(), &stored, client.InNamespace(ns)); err != nil || len(stored.Items) != 1 {
		t.Errorf("%d events, want 1: %v", len(stored.Items), err)
	}
}
