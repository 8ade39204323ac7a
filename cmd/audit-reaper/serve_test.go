package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/paddock-dev/audit/internal/testenv"
)

// running is the command while it serves.
type running struct {
	cmd             *exec.Cmd
	log             *strings.Builder
	metrics, health string
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func serving(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{metrics: free(t), health: free(t), log: &strings.Builder{}}
	r.cmd = command(t, append(args, "-metrics-addr", r.metrics, "-health-addr", r.health)...)
	r.cmd.Stderr = r.log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.cmd.ProcessState == nil {
			_ = r.cmd.Process.Kill()
			_ = r.cmd.Wait()
		}
		if t.Failed() {
			t.Log(r.log)
		}
	})
	for _, path := range []string{"/healthz", "/readyz"} {
		until(t, path, func() bool {
			code, _ := get(r.health, path)
			return code == http.StatusOK
		})
	}
	return r
}

func get(address, path string) (code int, body string) {
	resp, err := http.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// metric returns a series of /metrics, or -1 while there is none.
func (r *running) metric(name string) float64 {
	_, body := get(r.metrics, "/metrics")
	for line := range strings.Lines(body) {
		if text, ok := strings.CutPrefix(line, "paddock_audit_reaper_"+name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err == nil {
				return v
			}
		}
	}
	return -1
}

// term sends SIGTERM and returns how long the process took to end well.
func (r *running) term(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	return time.Since(begin)
}

func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !reached(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

// leastRights is a user with what the command needs and nothing else.
func leastRights(t *testing.T, server *testenv.Kube, ns string) string {
	t.Helper()
	clients, err := kubernetes.NewForConfig(server.Config)
	if err != nil {
		t.Fatal(err)
	}
	user := "reaper-of-" + ns
	to := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}
	meta := metav1.ObjectMeta{Name: user}
	_, err1 := clients.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"paddock.dev"}, Resources: []string{"auditevents"}, Verbs: []string{"list", "delete"}},
	}}, metav1.CreateOptions{})
	_, err2 := clients.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta, Subjects: to, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
	}, metav1.CreateOptions{})
	_, err3 := clients.RbacV1().Roles(ns).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}},
	}}, metav1.CreateOptions{})
	_, err4 := clients.RbacV1().RoleBindings(ns).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, Subjects: to, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
	}, metav1.CreateOptions{})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return kubeconfig(t, server.ConfigFor(user))
}

func TestOfTwoReplicasOneReapsAndTheOtherTakesOver(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	const expired = 60
	for i := range expired {
		create(t, c, ns, fmt.Sprintf("old-%03d", i), "egress-allow", 8*day)
	}
	create(t, c, ns, "young", "egress-allow", 6*day)
	args := []string{"-kubeconfig", leastRights(t, server, ns), "-config", retentionFor(t, ns, "deletesPerSecond: 20\n"), "-leader-elect", "-namespace", ns}
	first := serving(t, args...)
	until(t, "the first deletes", func() bool { return first.metric("deleted_total") > 5 })
	second := serving(t, args...)
	if l, s := first.metric("leader"), second.metric("leader"); l != 1 || s != 0 {
		t.Errorf("the metrics of the leader say %v, those of the other replica %v", l, s)
	}
	if d := second.metric("deleted_total"); d != 0 {
		t.Errorf("the replica that does not lead has deleted %v", d)
	}
	if took := first.term(t); took > 10*time.Second {
		t.Errorf("stopping in the middle of a pass took %s", took)
	}
	until(t, "the second replica's pass", func() bool { return second.metric(`passes_total{result="ok"}`) == 1 })
	if got := left(t, c, ns); got != "young" {
		t.Errorf("left are %s", got)
	}
	if first.log.String() == "" || strings.Contains(first.log.String(), "orbidden") {
		t.Errorf("the log of the first replica:\n%s", first.log)
	}
	for line := range strings.Lines(first.log.String()) {
		if !strings.HasPrefix(line, `{"time":`) {
			t.Errorf("a line of the log is no JSON: %s", line)
		}
	}
	if d := second.metric("deleted_total"); d <= 0 || d >= expired-5 {
		t.Errorf("the second replica deleted %v of %d", d, expired)
	}
	second.term(t)
}

func TestReaperWithAnotherPolicyRefusesToStart(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	create(t, c, ns, "kept", "egress-allow", 8*day)
	common := []string{"-kubeconfig", leastRights(t, server, ns), "-namespace", ns, "-leader-elect"}
	longer := write(t, "retention.yaml", "default: 36500d\n")
	first := serving(t, append(common, "-config", longer)...)
	until(t, "the first pass", func() bool { return first.metric(`passes_total{result="ok"}`) == 1 })

	shorter := retentionFor(t, ns, "")
	var refusals errgroup.Group
	for _, args := range [][]string{{"-metrics-addr", "0", "-health-addr", "0"}, {"-once"}} {
		refusals.Go(func() error {
			code, _, errOut := reaper(t, slices.Concat(common, []string{"-config", shorter}, args)...)
			want := `deletes the same events by another policy: it has nothing beyond that, and this one has "namespace \"` + ns + `\", kind \"\": 7d"`
			if code != 1 || !strings.Contains(errOut, want) {
				return fmt.Errorf("%v: %d %s", args, code, errOut)
			}
			return nil
		})
	}
	if err := refusals.Wait(); err != nil {
		t.Error(err)
	}
	if got := left(t, c, ns); got != "kept" {
		t.Errorf("left are %s", got)
	}
	first.term(t)
}
