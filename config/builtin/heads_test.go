package builtin_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/internal/trail"
)

// logged is what a logger wrote.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// eventually waits until a condition is true.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 seconds: %s", what)
		}
	}
}

// withHeads returns the configuration of a component whose trails use the board of a namespace.
func (s *sealing) withHeads(component, heads string) *sealing {
	s.text = strings.Replace(strings.Replace(s.text, "interval: 1h", "interval: 5ms, heads: "+heads, 1), "  broker: {", "  "+component+": {", 1)
	s.write("audit.yaml", s.text)
	return s
}

// openLogged opens the configuration, and has the log.
func (s *sealing) openLogged(opts ...builtin.Option) (*config.Trail, *logged) {
	s.t.Helper()
	log := &logged{}
	opened, err := config.Open(s.t.Context(), s.path("audit.yaml"), builtin.Types(opts...), config.Deps{Static: true, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := opened.Close(soon(s.t)); err != nil {
			s.t.Error(err)
		}
	})
	return opened, log
}

func TestSealsLearnOfEachOtherThroughAConfigMap(t *testing.T) {
	t.Parallel()
	server := testenv.SharedKube(t)
	c, err := client.New(server.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	board := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace(t), Name: "heads"}}
	if err := c.Create(t.Context(), board); err != nil {
		t.Fatal(err)
	}
	heads := "{configMap: heads, namespace: " + board.Namespace + ", kubeconfig: " + kubeconfig(t, "") + ", context: test}"
	newSealing(t).withHeads("broker", heads).openLogged()
	eventually(t, "the broker's trail is on the board", func() bool {
		return c.Get(t.Context(), client.ObjectKeyFromObject(board), board) == nil && len(board.Data) == 1
	})
	// The other one uses the client of its program.
	s := newSealing(t).withHeads("proxy", "{configMap: heads, namespace: "+board.Namespace+"}")
	second, _ := s.openLogged(builtin.WithKubeClient(c))
	eventually(t, "the proxy's checkpoints tell of the broker's trail", func() bool {
		s.trailOf(second.For("proxy"))
		for _, ae := range s.stored() {
			if trail.IsCheckpoint(ae.Spec.Kind) && strings.HasPrefix(ae.Spec.Detail["heads"], "prod/broker/") && strings.HasPrefix(ae.Spec.Detail["keys.00"], "prod/broker/") {
				return true
			}
		}
		return false
	})
}

func TestSealGoesOnWithoutItsBoard(t *testing.T) {
	t.Parallel()
	namespace := testenv.SharedKube(t).Namespace(t)
	for name, c := range map[string]struct{ heads, want string }{
		"not there": {"{namespace: " + namespace + ", kubeconfig: " + kubeconfig(t, "") + ", context: test}", "there is no ConfigMap " + namespace + "/audit-heads"},
		"no right":  {"{namespace: " + namespace + ", kubeconfig: " + kubeconfig(t, "nobody") + ", context: test}", "bind the Role audit-heads"},
	} {
		s := newSealing(t).withHeads("broker", c.heads)
		opened, log := s.openLogged()
		s.trailOf(opened.For("broker"))
		eventually(t, name, func() bool { return strings.Contains(log.String(), c.want) })
		if strings.Contains(log.String(), "PRIVATE") {
			t.Errorf("the log has the key: %s", log)
		}
	}
}

func TestHeadsOfAChangedKubeconfigBeginAnotherTrail(t *testing.T) {
	s := newSealing(t)
	written := func(server string) {
		text := "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a}}], clusters: [{name: a, cluster: {server: '" + server + "'}}]}"
		s.write("kubeconfig", text)
	}
	written("https://127.0.0.1:1")
	opened, _ := s.withHeads("broker", "{kubeconfig: "+s.path("kubeconfig")+"}").openLogged()
	before := s.trailOf(opened.For("broker"))
	for _, c := range []struct {
		server string
		same   bool
	}{{"https://127.0.0.1:1", true}, {"https://127.0.0.1:2", false}} {
		written(c.server)
		if err := opened.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := s.trailOf(opened.For("broker")); (after == before) != c.same {
			t.Errorf("%s: the trail is %s, and was %s", c.server, after, before)
		}
	}
}

func TestHeadsThatCannotBeAreRefused(t *testing.T) {
	for heads, want := range map[string]string{
		"{context: a}":       "sinks.sealed.heads.context: needs kubeconfig beside it",
		"{namespace: Audit}": "sinks.sealed.heads: the namespace is no name of one",
		"{configmap: a}":     "sinks.sealed.heads.configmap",
		"a":                  "sinks.sealed.heads",
		"{kubeconfig: " + filepath.Join(os.TempDir(), "no-such-kubeconfig") + "}": "heads: finding the API server",
	} {
		s := newSealing(t).withHeads("broker", heads)
		_, err := config.Open(context.Background(), s.path("audit.yaml"), builtin.Types(), config.Deps{Static: true})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", heads, err, want)
		}
	}
}
