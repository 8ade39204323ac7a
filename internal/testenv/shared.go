package testenv

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// sharedKube is this test binary's API server. Starting one takes seconds, so its tests share it and keep apart
// by namespaces.
var sharedKube struct {
	once   sync.Once
	server *Kube
	err    error
}

// SharedKube returns the API server of this test binary, which the first call starts. Tests keep apart by
// namespaces; one that kills the server must not run beside others.
func SharedKube(tb testing.TB) *Kube {
	tb.Helper()
	sharedKube.once.Do(func() { sharedKube.server, sharedKube.err = StartKube() })
	if sharedKube.err != nil {
		tb.Fatal(sharedKube.err)
	}
	return sharedKube.server
}

// Run runs the tests and stops the shared server; call it from TestMain. Without it, or when a test panics, the
// server still ends with the test binary, only nobody waits for that and hears of a failure.
func Run(m *testing.M) (exitCode int) {
	exitCode = m.Run()
	if sharedKube.server == nil {
		return exitCode
	}
	if err := sharedKube.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(exitCode, 1)
	}
	return exitCode
}

// Namespace makes a new namespace and returns its name. It is left where it is: no controller would empty it.
func (k *Kube) Namespace(tb testing.TB) string {
	tb.Helper()
	clients, err := kubernetes.NewForConfig(k.Config)
	if err != nil {
		tb.Fatalf("testenv: make a client of the API server: %v", err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	ns, err = clients.CoreV1().Namespaces().Create(context.Background(), ns, metav1.CreateOptions{})
	if err != nil {
		tb.Fatalf("testenv: make a namespace: %v", err)
	}
	return ns.Name
}

// NewLoki starts a Loki for one test and stops it when the test ends.
func NewLoki(tb testing.TB, opts LokiOptions) *Loki {
	tb.Helper()
	l, err := StartLoki(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := l.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return l
}
