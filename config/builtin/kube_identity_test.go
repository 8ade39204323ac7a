package builtin_test

import (
	"context"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

func TestChangedKubeconfigIsTakenUpByReload(t *testing.T) {
	var token atomic.Value // of the last create
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token.Store(r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusCreated)
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	write := func(bearer string) {
		c := clientcmdapi.NewConfig()
		c.Clusters["test"] = &clientcmdapi.Cluster{
			Server:                   server.URL,
			CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		}
		c.AuthInfos["test"] = &clientcmdapi.AuthInfo{Token: bearer}
		c.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
		c.CurrentContext = "test"
		if err := clientcmd.WriteToFile(*c, kubeconfig); err != nil {
			t.Fatal(err)
		}
	}
	for name, key := range map[string]string{"named by a key": ", kubeconfig: " + kubeconfig, "named by KUBECONFIG": ""} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", kubeconfig)
			write("first")
			path := filepath.Join(dir, "audit.yaml")
			text := "apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\n" +
				"sinks: {stage: {type: retry, next: a}, a: {type: kube" + key + "}}\ncomponents: {broker: {sink: stage}}\n"
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			trail, err := config.Open(t.Context(), path, builtin.Types(), config.Deps{Static: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			sent := func() any {
				ae := auditing.NewEvent(auditing.EventInput{Namespace: "team-a", Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionGranted})
				if err := trail.For("broker").Write(t.Context(), ae); err != nil {
					t.Fatal(err)
				}
				return token.Load()
			}
			if got := sent(); got != "Bearer first" {
				t.Errorf("at first: %v", got)
			}
			write("second")
			if err := trail.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := sent(); got != "Bearer second" {
				t.Errorf("after a reload: %v, want the token that the kubeconfig has now", got)
			}
			token.Store("none")
			if err := trail.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := token.Load(); got != "none" {
				t.Errorf("a reload of the same kubeconfig opened the sink again and checked it with %v", got)
			}
			if err := trail.Close(context.Background()); err != nil {
				t.Error(err)
			}
			if strings.Contains(log.String(), "first") || strings.Contains(log.String(), "second") {
				t.Errorf("the log holds a token: %s", log.String())
			}
		})
	}
}

func TestIdentityChangesWithWhatKubeconfigSays(t *testing.T) {
	dir := t.TempDir()
	ca, path := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "kubeconfig")
	identity := func(change func(*clientcmdapi.Cluster, *clientcmdapi.AuthInfo)) string {
		t.Helper()
		cluster, user := &clientcmdapi.Cluster{Server: "https://a.example", CertificateAuthority: ca}, &clientcmdapi.AuthInfo{}
		if err := os.WriteFile(ca, []byte("first"), 0o600); err != nil {
			t.Fatal(err)
		}
		change(cluster, user)
		c := clientcmdapi.NewConfig()
		c.Clusters["a"], c.AuthInfos["a"] = cluster, user
		c.Contexts["a"], c.CurrentContext = &clientcmdapi.Context{Cluster: "a", AuthInfo: "a"}, "a"
		if err := clientcmd.WriteToFile(*c, path); err != nil {
			t.Fatal(err)
		}
		for _, typ := range builtin.Types().All() {
			if typ.Name == "kube" {
				section := typ.New()
				if err := config.Decode("keys", []byte("kubeconfig: "+path), section, ""); err != nil {
					t.Fatal(err)
				}
				return section.(config.Identified).Identity()
			}
		}
		t.Fatal("there is no type kube")
		return ""
	}
	plain := func(*clientcmdapi.Cluster, *clientcmdapi.AuthInfo) {}
	want := identity(plain)
	if got := identity(plain); got != want || got == "" {
		t.Errorf("the same kubeconfig gives %q, and then %q", want, got)
	}
	for name, change := range map[string]func(*clientcmdapi.Cluster, *clientcmdapi.AuthInfo){
		"server":      func(c *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) { c.Server = "https://b.example" },
		"proxy":       func(c *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) { c.ProxyURL = "http://proxy.example" },
		"TLS name":    func(c *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) { c.TLSServerName = "b.example" },
		"token":       func(_ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) { u.Token = "t" },
		"password":    func(_ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) { u.Username, u.Password = "u", "p" },
		"impersonate": func(_ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) { u.Impersonate = "somebody" },
		"exec": func(_ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.Exec = &clientcmdapi.ExecConfig{
				Command: "login", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
				Env: []clientcmdapi.ExecEnvVar{{Name: "A", Value: "1"}},
			}
		},
		"content of the CA file": func(*clientcmdapi.Cluster, *clientcmdapi.AuthInfo) {
			if err := os.WriteFile(ca, []byte("second"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		if got := identity(change); got == want || got == "" {
			t.Errorf("%s: the identity is %q, and was so before", name, got)
		}
	}
}
