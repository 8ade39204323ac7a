package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// refusing is a client that loses the right to create after the check at the start.
type refusing struct{ client.Client }

func (r refusing) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	if slices.Contains(opts, client.CreateOption(client.DryRunAll)) {
		return r.Client.Create(ctx, obj, opts...)
	}
	return apierrors.NewForbidden(schema.GroupResource{Group: "paddock.dev", Resource: "auditevents"}, "", nil)
}

// ask asks a broker with the example's file for a credential, and returns the events of its namespace.
func ask(t *testing.T, name string, wrap func(client.Client) client.Client) (answer *httptest.ResponseRecorder, stored []v1alpha1.AuditEvent) {
	t.Helper()
	server := testenv.SharedKube(t)
	c, err := builtin.ClientFor(server.Config, nil)
	if err != nil {
		t.Fatal(err)
	}
	trail, err := config.Open(t.Context(), "audit.yaml", builtin.Types(builtin.WithKubeClient(wrap(c))), config.Deps{Static: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := within(trail.Close); err != nil {
			t.Error(err)
		}
	})
	ns := server.Namespace(t)
	answer = httptest.NewRecorder()
	handler(trail.For(component), prometheus.NewRegistry()).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost,
		"/credential?namespace="+ns+"&run=hr-1&name="+name, http.NoBody))
	var list v1alpha1.AuditEventList
	if err := c.List(t.Context(), &list, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	return answer, list.Items
}

func there(c client.Client) client.Client   { return c }
func refused(c client.Client) client.Client { return refusing{c} }

func TestIssuedCredentialLeavesWhoAsked(t *testing.T) {
	answer, stored := ask(t, "DEMO_TOKEN", there)
	if answer.Code != http.StatusOK || len(stored) != 1 {
		t.Fatalf("answer %d, %d events", answer.Code, len(stored))
	}
	ae := stored[0]
	if ae.Labels[v1alpha1.LabelComponent] != component || ae.Spec.Kind != v1alpha1.AuditKindCredentialIssued ||
		ae.Spec.Actor.SourceAddress == "" || ae.Spec.Request.Verb != http.MethodPost {
		t.Errorf("event %+v", ae)
	}
}

func TestRefusedCredentialLeavesItsEvent(t *testing.T) {
	answer, stored := ask(t, "OTHER", there)
	if answer.Code != http.StatusForbidden || len(stored) != 1 || stored[0].Spec.Kind != v1alpha1.AuditKindCredentialDenied {
		t.Errorf("answer %d, events %+v", answer.Code, stored)
	}
}

func TestNoCredentialIsIssuedWithoutItsEvent(t *testing.T) {
	answer, _ := ask(t, "DEMO_TOKEN", refused)
	if answer.Code != http.StatusServiceUnavailable || answer.Body.String() != "audit trail unavailable\n" {
		t.Errorf("answer %d %q", answer.Code, answer.Body)
	}
}

func TestRefusalHoldsWithoutItsEvent(t *testing.T) {
	if answer, _ := ask(t, "OTHER", refused); answer.Code != http.StatusForbidden {
		t.Errorf("answer %d", answer.Code)
	}
}

func TestProgramServesUntilItIsStopped(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(testenv.SharedKube(t).Kubeconfig(), kubeconfig); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close() // the program listens there
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, "audit.yaml", address) }()

	deadline := time.After(30 * time.Second)
	for !strings.Contains(get("http://"+address+"/metrics"), "paddock_audit_config_last_reload_successful 1") {
		select {
		case err := <-ended:
			t.Fatalf("it ends with %v", err)
		case <-deadline:
			t.Fatal("it serves no metrics of its trail")
		case <-time.After(10 * time.Millisecond):
		}
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-deadline:
		t.Error("it does not end")
	}
}

// get returns what url answers, or nothing.
func get(url string) string {
	c := http.Client{Timeout: 5 * time.Second}
	defer c.CloseIdleConnections()
	answer, err := c.Get(url)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body) // what is cut off lacks what is looked for
	return string(body)
}
