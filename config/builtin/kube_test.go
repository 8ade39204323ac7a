package builtin_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/internal/testenv"
)

// kubeconfig writes a kubeconfig for a user of the test's API server.
func kubeconfig(t *testing.T, user string) string {
	t.Helper()
	server := testenv.SharedKube(t)
	cfg := server.Config
	if user != "" {
		cfg = server.ConfigFor(user)
	}
	c := clientcmdapi.NewConfig()
	c.Clusters["test"] = &clientcmdapi.Cluster{Server: cfg.Host, CertificateAuthorityData: cfg.CAData, CertificateAuthority: cfg.CAFile}
	c.AuthInfos["test"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: cfg.CertData, ClientKeyData: cfg.KeyData, ClientCertificate: cfg.CertFile, ClientKey: cfg.KeyFile,
		Token: cfg.BearerToken, Impersonate: cfg.Impersonate.UserName,
	}
	c.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*c, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// open opens a file with one component over one sink.
func open(t *testing.T, sink string) (*config.Trail, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.yaml")
	text := "apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\nsinks:\n  a: " + sink + "\ncomponents:\n  broker: {sink: a}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Open(t.Context(), path, builtin.Types(), config.Deps{Static: true})
}

func TestKubeSinkUsesContextOfKubeconfig(t *testing.T) {
	t.Parallel()
	trail, err := open(t, "{type: kube, kubeconfig: "+kubeconfig(t, "")+", context: test}")
	if err != nil {
		t.Fatal(err)
	}
	sink := trail.For("broker")
	ae := auditing.NewEvent(auditing.EventInput{
		Namespace: testenv.SharedKube(t).Namespace(t), Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionGranted,
	})
	if err := sink.Write(t.Context(), ae); err != nil {
		t.Error(err)
	}
	if err := trail.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestKubeSinkWithoutRightsFailsItsCheck(t *testing.T) {
	t.Parallel()
	_, err := open(t, "{type: kube, kubeconfig: "+kubeconfig(t, "nobody")+", context: test}")
	if err == nil || !strings.Contains(err.Error(), "forbidden") || !strings.Contains(err.Error(), "dry-run") {
		t.Errorf("Open: %v, want that it is forbidden", err)
	}
	trail, err := open(t, "{type: kube, check: skip, kubeconfig: "+kubeconfig(t, "nobody")+", context: test}")
	if err != nil {
		t.Fatal(err)
	}
	if err := trail.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
