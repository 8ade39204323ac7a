package main

import (
	"context"
	"encoding/json"
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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

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

// start runs the example until the test ends.
func start(t *testing.T, path string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, testenv.SharedKube(t).Config, path, address, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return address
}

// ask posts until there is an answer, for the manager takes a moment to serve.
func ask(t *testing.T, url, body string) int {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		resp, err := http.Post(url, "application/json", strings.NewReader(body))
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

func TestEachPartWritesWhereTheFileSays(t *testing.T) {
	server, loki := testenv.SharedKube(t), testenv.NewLoki(t, testenv.LokiOptions{})
	ns := server.Namespace(t)
	console := filepath.Join(t.TempDir(), "console.log")
	path := filepath.Join(t.TempDir(), "audit.yaml")
	if err := os.WriteFile(path, []byte(configuration(t, loki.URL, console)), 0o600); err != nil {
		t.Fatal(err)
	}
	address := start(t, path)
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(server.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}

	if status := ask(t, "http://"+address+"/credential?run=hr-1&namespace="+ns, ""); status != http.StatusOK {
		t.Errorf("the broker answers %d", status)
	}
	if status := ask(t, "http://"+address+"/admit", strings.Replace(review, "NS", ns, 1)); status != http.StatusOK {
		t.Errorf("the webhook answers %d", status)
	}
	run := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "hr-1", Labels: map[string]string{templateLabel: "small"}}}
	if err := c.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}

	want := []string{"broker", "controller"}
	var inCluster []string
	for deadline := time.Now().Add(30 * time.Second); !slices.Equal(inCluster, want) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var events v1alpha1.AuditEventList
		if err := c.List(t.Context(), &events, client.InNamespace(ns)); err != nil {
			t.Fatal(err)
		}
		inCluster = nil
		for _, ae := range events.Items {
			inCluster = append(inCluster, ae.Labels[v1alpha1.LabelComponent])
		}
		slices.Sort(inCluster)
	}
	if !slices.Equal(inCluster, want) {
		t.Errorf("the API server has the events of %v, want %v", inCluster, want)
	}
	entries, err := loki.Query(t.Context(), "", `{namespace="`+ns+`"}`, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), 0)
	if err != nil || len(entries) != 1 || entries[0].Labels["component"] != "broker" {
		t.Errorf("Loki has %v, want the broker's event: %v", entries, err)
	}
	data, err := os.ReadFile(console)
	var ae v1alpha1.AuditEvent
	if err != nil || json.Unmarshal(data, &ae) != nil || ae.Labels[v1alpha1.LabelComponent] != "webhook" {
		t.Errorf("the console has %s, want the webhook's event alone: %v", data, err)
	}
}
