package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// sharedKube is the API server of this test binary. A start takes seconds, so the tests share it, and each uses namespaces
// of its own.
var sharedKube struct {
	once   sync.Once
	server *Kube
	err    error
}

// sharedVictoriaLogs is the VictoriaLogs of this test binary. Each test uses a service name or namespaces of its own.
var sharedVictoriaLogs struct {
	once   sync.Once
	server *VictoriaLogs
	err    error
}

// SharedVictoriaLogs returns the VictoriaLogs of this test binary, which the first call starts. It keeps rows of the last
// 100 years. Rows that it has confirmed reach its disk within some seconds (the flush interval is 1 s). A test that kills
// it must not run in parallel with others.
func SharedVictoriaLogs(tb testing.TB) *VictoriaLogs {
	tb.Helper()
	sharedVictoriaLogs.once.Do(func() {
		sharedVictoriaLogs.server, sharedVictoriaLogs.err = StartVictoriaLogs(VictoriaLogsOptions{
			Flags: []string{"-retentionPeriod=100y", "-inmemoryDataFlushInterval=1s"},
		})
	})
	if sharedVictoriaLogs.err != nil {
		tb.Fatal(sharedVictoriaLogs.err)
	}
	return sharedVictoriaLogs.server
}

// SharedKube returns the API server of this test binary, which the first call starts. Each test uses namespaces of its own.
// A test that kills the server must not run in parallel with others.
func SharedKube(tb testing.TB) *Kube {
	tb.Helper()
	sharedKube.once.Do(func() { sharedKube.server, sharedKube.err = StartKube() })
	if sharedKube.err != nil {
		tb.Fatal(sharedKube.err)
	}
	return sharedKube.server
}

// Run runs the tests and stops the shared servers. Call it from TestMain. Without Run, or when a test panics, the servers
// still end with the test binary, but nothing waits for their end or reports that it failed.
func Run(m *testing.M) (exitCode int) {
	exitCode = m.Run()
	var errs []error
	if sharedKube.server != nil {
		errs = append(errs, sharedKube.server.Stop())
	}
	if sharedVictoriaLogs.server != nil {
		errs = append(errs, sharedVictoriaLogs.server.Stop())
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(exitCode, 1)
	}
	return exitCode
}

// Namespace makes a new namespace and returns its name. The test need not delete it: no controller would empty it.
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
	return forTest(tb, l, err)
}
