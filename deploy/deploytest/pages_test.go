package deploytest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/internal/pages"
	"github.com/paddock-dev/audit/internal/testenv"
)

// inShell says which commands of a page the cluster's test runs.
type inShell struct{ page, block string }

var (
	installPage = inShell{"docs/install.md", pages.Indented}
	otherPages  = []inShell{
		{"docs/migrating.md", "sh"},
		{"docs/proof.md", pages.Indented},
		{"docs/auditctl.md", pages.Indented},
		{"docs/redaction.md", pages.Indented},
		{"docs/controls.md", "text"},
	}
)

// placeholders stand for what a reader puts in.
var placeholders = strings.NewReplacer(" NAME ", " "+eventName+" ", "…,", strings.Repeat("0", 26)+",", "…)", strings.Repeat("0", 26)+")")

const eventName = "ae-with-a-secret"

// parts are commands of kubectl within texts, which name a part of what a reader types.
var parts = map[string]string{
	"kubectl audit-trail":                                "kubectl audit-trail get",
	"kubectl get -o wide":                                "kubectl get auditevents -A -o wide",
	"kubectl get --field-selector spec.kind=…":           "kubectl get auditevents -A --field-selector spec.kind=egress-block",
	"kubectl logs -f deploy/broker | auditctl logs -f -": "", // not run: no pod runs without a node
}

// The commands run in a cluster of their own, in a shell, as they stand in the pages: first the installation, then those of
// other pages, and at last those that uninstall.
func TestCommandsOfPagesRunOnACluster(t *testing.T) {
	s := newShell(t)
	install := s.commands(installPage)
	uninstall := slices.IndexFunc(install, func(c pages.Command) bool { return strings.HasPrefix(c.Text, "kubectl delete -k ") })
	if uninstall < 3 {
		t.Fatalf("%s does not install before it uninstalls: %q", installPage.page, install)
	}
	for _, c := range install[:uninstall] {
		if strings.Contains(c.Text, " NAME ") {
			s.storeEvent()
		}
		s.check(c)
	}
	for _, p := range otherPages {
		for _, c := range s.commands(p) {
			s.check(c)
		}
	}
	s.checkInline()
	for i, c := range install[uninstall:] {
		if uninstall+i == len(install)-1 { // The API server may not have noticed yet that the policy has no binding.
			s.waitFor("kubectl delete crd auditevents.paddock.dev --dry-run=server")
		}
		s.check(c)
	}
	if out, err := s.run("kubectl get namespace audit-system -o name --ignore-not-found; kubectl get crd -o name"); err != nil || out != "" {
		t.Errorf("uninstalled, the cluster still has %q, %v", out, err)
	}
}

// shell runs commands with kubectl and auditctl in the PATH and an API server as the current context.
type shell struct {
	t     *testing.T
	dir   string // the working directory, which has deploy
	env   []string
	admin client.Client
}

func newShell(t *testing.T) *shell {
	t.Helper()
	kube, err := testenv.StartEmptyKube()
	must(t, err)
	t.Cleanup(func() {
		if err := kube.Stop(); err != nil {
			t.Error(err)
		}
	})
	must(t, kube.StartControllers(t.Context(), "namespace-controller"))
	s := &shell{t: t, dir: t.TempDir()}
	s.admin, err = clientFor(kube.Config)
	must(t, err)
	must(t, os.Symlink(absolute(t, "../../deploy"), filepath.Join(s.dir, "deploy")))
	home := t.TempDir()
	programs, own := filepath.Join(home, "programs"), filepath.Join(home, "bin")
	must(t, os.MkdirAll(programs, 0o700))
	must(t, os.MkdirAll(own, 0o700))
	kubectl, err := testenv.Kubectl()
	must(t, err)
	must(t, os.Symlink(kubectl, filepath.Join(programs, "kubectl")))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", programs, "./cmd/auditctl")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	kubeconfig := filepath.Join(home, "kubeconfig")
	must(t, clientcmd.WriteToFile(kube.Kubeconfig(), kubeconfig))
	s.env = append(os.Environ(), "HOME="+home, "USER=alice", "KUBECONFIG="+kubeconfig,
		"PATH="+strings.Join([]string{own, programs, os.Getenv("PATH")}, string(os.PathListSeparator)))
	for _, namespace := range []string{"team-a", "paddock"} { // in which the pages' components run
		if out, err := s.run("kubectl create namespace " + namespace); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return s
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	must(t, err)
	return path
}

// commands returns those that run on the cluster.
func (s *shell) commands(p inShell) []pages.Command {
	s.t.Helper()
	all, err := pages.Of("../..", p.page)
	must(s.t, err)
	all = slices.DeleteFunc(all, func(c pages.Command) bool {
		return c.Block != p.block || c.NotRun != "" || !slices.Contains([]string{"kubectl", "auditctl", "ln"}, c.Program())
	})
	if len(all) == 0 {
		s.t.Fatalf("%s has no command", p.page)
	}
	return all
}

// run returns what a command prints on its standard output.
func (s *shell) run(command string) (out string, err error) {
	cmd := exec.CommandContext(s.t.Context(), "sh", "-ec", command)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr = s.dir, s.env, &stderr
	text, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	return string(text), err
}

// check runs a command of a page, and compares what it prints with what the page shows. A command that answers "no" ends with
// the code 1.
func (s *shell) check(c pages.Command) {
	s.t.Helper()
	out, err := s.run(placeholders.Replace(c.Text))
	if err != nil && (out != "no\n" || c.Output != out) || c.Output != "" && out != c.Output {
		s.t.Errorf("%s: %v, it prints\n%s\nand the page has\n%s", c, err, out, c.Output)
	}
}

func (s *shell) checkInline() {
	s.t.Helper()
	all, err := pages.All("../..")
	must(s.t, err)
	for _, c := range all {
		if c.Block != pages.Inline || c.Program() != "kubectl" {
			continue
		}
		if whole, known := parts[c.Text]; known {
			c.Text = whole
		}
		s.check(c)
	}
}

// storeEvent stores an event, and waits until nobody may delete it.
func (s *shell) storeEvent() {
	s.t.Helper()
	ae := newEvent("team-a", "broker")
	ae.Name = eventName
	eventually(s.t, func() error { return ignoreExists(s.admin.Create(s.t.Context(), ae)) })
	eventually(s.t, func() error {
		out, err := s.run("kubectl delete auditevents -n team-a --dry-run=server " + eventName)
		if err == nil || !strings.Contains(err.Error(), deletionPolicy) {
			return fmt.Errorf("a deletion is not refused: %s, %w", out, err)
		}
		return nil
	})
}

// waitFor runs a command until it succeeds.
func (s *shell) waitFor(command string) {
	s.t.Helper()
	eventually(s.t, func() error {
		_, err := s.run(command)
		return err
	})
}
