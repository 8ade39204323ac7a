package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
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

// running is the example with the addresses that it serves at.
type running struct {
	broker, probes, webhook string
	authority               []byte // of the webhook's certificate
	client                  *http.Client
}

// start runs the example until the test ends.
func start(t *testing.T, cfg *rest.Config, audit string) *running {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.yaml")
	if err := os.WriteFile(path, []byte(audit), 0o600); err != nil {
		t.Fatal(err)
	}
	broker, probes, hook := freeAddress(t), freeAddress(t), freeAddress(t)
	o := options{config: path, listen: broker.String(), probes: probes.String(), metrics: "0", webhookPort: hook.Port, certs: t.TempDir()}
	r := &running{
		broker: "http://" + o.listen, probes: "http://" + o.probes, webhook: "https://" + hook.String() + "/admit",
		authority: testenv.WriteCertificate(t, o.certs),
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	r.client = &http.Client{Transport: transport}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, cfg, o, slog.New(slog.NewTextHandler(os.Stderr, nil))) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return r
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
func (r *running) ask(t *testing.T, url, body string) int {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		resp, err := r.client.Post(url, "application/json", strings.NewReader(body))
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
	example := start(t, server.Config, configuration(t, loki.URL, console))

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
