package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	logsink "github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/sinks/seal/kubeseal"
)

// sealByToken writes two decisions of vault to a log, in a trail for which a service account vouches.
func sealByToken(t *testing.T, server *testenv.Kube, ns, path string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	scheme := runtime.NewScheme()
	must(corev1.AddToScheme(scheme))
	must(authenticationv1.AddToScheme(scheme))
	c, err := client.New(server.Config, client.Options{Scheme: scheme})
	must(err)
	must(c.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "vault"}}))
	authority, err := kubeseal.NewTokenAuthority(c, kubeseal.TokenOptions{Namespace: ns, Name: "vault"})
	must(err)
	file, err := logsink.NewFile(path, logsink.FileOptions{})
	must(err)
	s, err := seal.New(file, seal.Options{Component: "vault", Cluster: "prod", Authority: authority})
	must(err)
	for range 2 {
		must(s.Write(t.Context(), auditing.NewEgressAllow(auditing.EgressInput{RunName: "hr-1", Namespace: "team-a", Host: "example.com", Port: 443})))
	}
	must(s.Close(t.Context()))
}

func TestVerifyBelievesTheTokensOfTheClusterThatJWKSPrints(t *testing.T) {
	server := testenv.SharedKube(t)
	ns, dir := server.Namespace(t), t.TempDir()
	kubeconfig, trust, log := filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "trust.yaml"), filepath.Join(dir, "audit.log")
	if err := clientcmd.WriteToFile(server.Kubeconfig(), kubeconfig); err != nil {
		t.Fatal(err)
	}
	sealByToken(t, server, ns, log)
	for _, c := range []struct {
		account string
		code    int
		want    string
	}{
		{ns + "/vault", 0, "of prod/vault, vouched for by prod: service account " + ns + "/vault\n"},
		{"team-a/vault", 1, "the service account " + ns + "/vault of \"prod\" may not speak for prod/vault"},
	} {
		code, out, errOut := auditctl(t, "keys", "jwks", "--cluster", "prod", "--service-account", c.account, "--component", "vault",
			"--sealed-since", "2026-05-01T00:00:00Z", "--kubeconfig", kubeconfig)
		if code != 0 || errOut != "" {
			t.Fatalf("%d %s%s", code, out, errOut)
		}
		write(t, trust, out)
		code, shown, errOut := auditctl(t, "verify", "--trust", trust, log)
		if code != c.code || !strings.Contains(shown, c.want) || errOut != "" {
			t.Errorf("%d %s%s, want %d with %s", code, shown, errOut, c.code, c.want)
		}
		golden, err := filepath.Abs("testdata/keys-jwks.txt")
		if err != nil {
			t.Fatal(err)
		}
		if c.code == 0 {
			text := strings.NewReplacer(ns, "audit-system", server.Config.Host, "https://api").Replace(out)
			compare(t, golden, regexp.MustCompile(`(kid|x|"y"): .*`).ReplaceAllString(text, "$1: (of the test)"))
		}
	}
}

func TestKeysJWKSRefusesWhatItCannotUse(t *testing.T) {
	answers := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.Path]
		switch {
		case !ok:
			w.WriteHeader(http.StatusForbidden)
		case text == "moved":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(text))
		}
	}))
	defer server.Close()
	t.Setenv("KUBECONFIG", os.DevNull)
	good := "jwks --cluster prod --service-account a/b --component c --server " + server.URL
	for _, c := range []struct {
		args, discovery, keys string
		code                  int
		want                  string
	}{
		{"jwks", "", "", misused, "--cluster is missing"},
		{"jwks --cluster prod", "", "", misused, "--service-account is missing"},
		{"jwks --cluster prod --service-account a/b", "", "", misused, "--component is missing"},
		{"jwks --cluster prod --service-account a/b --component c --kubeconfig none", "", "", misused, "which API server to read"},
		{good, "", "", wrong, "which the ClusterRole system:service-account-issuer-discovery allows"},
		{good, "moved", "", wrong, "/.well-known/openid-configuration"},
		{good, "hello", "", wrong, "is not what an API server says"},
		{good, "{}", `{"keys": []}`, wrong, "issuers[0]: issuer is missing"},
		{good, `{"issuer": "x"}`, `{"keys": []}`, wrong, "jwks.keys is missing"},
		{good, `{"issuer": "x"}`, `{"keys": [{"kty": "oct", "k": "aHVudGVyMg"}]}`, wrong, "jwks.keys[0]"},
		{strings.Replace(good, "a/b", "b", 1), `{"issuer": "x"}`, `{"keys": [{"kty": "oct"}]}`, wrong, "want namespace/name"},
	} {
		answers = map[string]string{"/elsewhere": `{"issuer": "x"}`}
		if c.discovery != "" {
			answers["/.well-known/openid-configuration"], answers["/openid/v1/jwks"] = c.discovery, c.keys
		}
		code, out, errOut := auditctl(t, append([]string{"keys"}, strings.Fields(c.args)...)...)
		if code != c.code || out != "" || !strings.Contains(errOut, c.want) {
			t.Errorf("keys %s, %q, %q: %d %s%s, want %d %q", c.args, c.discovery, c.keys, code, out, errOut, c.code, c.want)
		}
	}
}
