package builtin_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// kubeconfigFor writes a kubeconfig for a server at url.
func kubeconfigFor(t *testing.T, url string) string {
	t.Helper()
	c := clientcmdapi.NewConfig()
	c.Clusters["test"] = &clientcmdapi.Cluster{Server: url}
	c.Contexts["test"] = &clientcmdapi.Context{Cluster: "test"}
	c.CurrentContext = "test"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*c, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKubeSinkAsksServerForNothingButCreates(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			t.Errorf("%s %s: a server that swallows it wedges the client", r.Method, r.URL.Path)
			http.Error(w, "gone", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusCreated)
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	trail, err := open(t, "{type: kube, kubeconfig: "+kubeconfigFor(t, server.URL)+"}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ae := auditing.NewEvent(auditing.EventInput{Namespace: "team-a", Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionGranted})
	if err := trail.For("broker").Write(ctx, ae); err != nil {
		t.Error(err)
	}
	if err := trail.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
