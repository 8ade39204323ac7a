package deploytest

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/retention"
)

var reaper = client.ObjectKey{Namespace: "audit-system", Name: "audit-reaper"}

// reaperConfig acts as the reaper with a token of its account, as its pod does.
func reaperConfig(t *testing.T) *rest.Config {
	t.Helper()
	token := &authenticationv1.TokenRequest{}
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: reaper.Namespace, Name: reaper.Name}}
	must(t, admin.SubResource("token").Create(t.Context(), sa, token))
	config := rest.AnonymousClientConfig(kube.Config)
	config.BearerToken = token.Status.Token
	return config
}

func TestTheReaperDeletesExpiredEventsWithItsRights(t *testing.T) {
	namespace := kube.Namespace(t)
	ae := stored(t, namespace, "broker")
	keep, err := retention.LoadPolicy("../reaper/retention.yaml")
	must(t, err)
	for _, days := range []int{29, 31} {
		r, err := retention.New(reaperConfig(t), keep, retention.Options{
			Logger: slog.New(slog.DiscardHandler),
			Now:    func() time.Time { return time.Now().AddDate(0, 0, days) },
		})
		must(t, err)
		_, err = r.Pass(t.Context())
		must(t, err)
		if days < 30 {
			checkStored(t, namespace, 1)
		}
	}
	gone(t, ae)
}

func deployment(t *testing.T) corev1.PodTemplateSpec {
	t.Helper()
	var d appsv1.Deployment
	must(t, admin.Get(t.Context(), reaper, &d))
	return d.Spec.Template
}

func TestTheReapersPodIsAdmittedWhereOnlyRestrictedPodsAre(t *testing.T) {
	template := deployment(t)
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace, pod.Name = reaper.Namespace, "reaper"
	must(t, admin.Create(t.Context(), pod.DeepCopy(), client.DryRunAll))

	pod.Spec.Containers[0].SecurityContext.Capabilities = nil
	if err := admin.Create(t.Context(), pod, client.DryRunAll); err == nil || !strings.Contains(err.Error(), "restricted") {
		t.Errorf("a pod that is not restricted: %v", err)
	}
	if c := template.Spec.Containers[0]; !*c.SecurityContext.ReadOnlyRootFilesystem || c.Resources.Limits.Memory().IsZero() {
		t.Errorf("the container may write to its root, or has no limit of memory: %+v", c)
	}
}

// podsArguments puts what the Deployment mounts from ConfigMaps into a folder, and returns the arguments with paths and
// addresses that work here.
func podsArguments(t *testing.T, metrics, health string) (args []string) {
	t.Helper()
	pod, dir := deployment(t).Spec, t.TempDir()
	replace := []string{":8080", metrics, ":8081", health}
	for i, mount := range pod.Containers[0].VolumeMounts {
		var config corev1.ConfigMap
		must(t, admin.Get(t.Context(), client.ObjectKey{Namespace: reaper.Namespace, Name: pod.Volumes[i].ConfigMap.Name}, &config))
		for name, text := range config.Data {
			must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		replace = append(replace, mount.MountPath, dir)
	}
	for _, arg := range pod.Containers[0].Args {
		args = append(args, strings.NewReplacer(replace...).Replace(arg))
	}
	return args
}

// reaperCommand is the command with the account of the reaper, not yet started. No reaper holds the lease of its policy.
func reaperCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: reaper.Namespace, Name: "audit-reaper-policy"}}
	must(t, client.IgnoreNotFound(admin.Delete(t.Context(), lease)))
	dir := t.TempDir()
	binary, kubeconfig := filepath.Join(dir, "audit-reaper"), filepath.Join(dir, "kubeconfig")
	if out, err := exec.Command("go", "-C", "../..", "build", "-o", binary, "./cmd/audit-reaper").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := reaperConfig(t)
	must(t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:  map[string]*clientcmdapi.Cluster{"": {Server: config.Host, CertificateAuthorityData: config.CAData}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"": {Token: config.BearerToken}},
		Contexts:  map[string]*clientcmdapi.Context{"": {}},
	}, kubeconfig))
	cmd := exec.CommandContext(t.Context(), binary, append(args, "-kubeconfig="+kubeconfig)...)
	cmd.Env = append(os.Environ(), "POD_NAMESPACE="+reaper.Namespace)
	return cmd
}

func TestTheDeploymentRunsTheReaper(t *testing.T) {
	metrics, health := freeAddress(t), freeAddress(t)
	cmd := reaperCommand(t, podsArguments(t, metrics, health)...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())

	// What the probes and Prometheus ask.
	eventually(t, func() error {
		for _, ask := range []struct{ url, says string }{
			{"http://" + health + "/healthz", ""},
			{"http://" + health + "/readyz", ""},
			{"http://" + metrics + "/metrics", `paddock_audit_reaper_passes_total{result="ok"} 1`},
			{"http://" + metrics + "/metrics", `paddock_audit_reaper_leader 1`},
		} {
			if err := answers(ask.url, ask.says); err != nil {
				return err
			}
		}
		return nil
	})
	var held coordinationv1.Lease
	must(t, admin.Get(t.Context(), reaper, &held))
	if held.Spec.HolderIdentity == nil || *held.Spec.HolderIdentity == "" {
		t.Errorf("nobody holds the lease: %+v", held.Spec)
	}
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if text := log.String(); strings.Contains(text, "forbidden") || t.Failed() {
		t.Errorf("it lacks a right, or failed:\n%s", text)
	}
}

// answers reports what is wrong with the answer of a server.
func answers(url, says string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !strings.Contains(string(body), says)) {
		err = fmt.Errorf("%s answers %s without %q", url, resp.Status, says)
	}
	return err
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}
