package builtin_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/internal/trail"
)

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// vouching makes a service account broker in a namespace, and returns a client that may do everything.
func vouching(t *testing.T, server *testenv.Kube, ns string) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, authenticationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(server.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "broker"}}); err != nil {
		t.Fatal(err)
	}
	return c
}

// withToken says that a service account vouches instead of a key.
func (s *sealing) withToken(token string) {
	before, _, _ := strings.Cut(s.text, ", interval: 1h, key:")
	_, after, _ := strings.Cut(s.text, "long.key}}")
	s.text = before + ", interval: 10ms, token: " + token + "}" + after
	s.write("audit.yaml", s.text)
}

// certified reports that the last checkpoint has a token for its trail.
func (s *sealing) certified() bool {
	s.t.Helper()
	last := ""
	for _, ae := range s.stored() {
		if trail.IsCheckpoint(ae.Spec.Kind) {
			c, err := trail.ParseCheckpoint(ae.Spec.Detail)
			if err != nil {
				s.t.Fatal(err)
			}
			last = c.Certificate
		}
	}
	return strings.Count(last, ".") == 2 && trail.IsToken(last)
}

func TestSealStartsWhileTheAPIServerIsAway(t *testing.T) {
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	vouching(t, server, ns)
	s := newSealing(t)
	address, reachable := unreachable(t, strings.TrimPrefix(server.Config.Host, "https://"))
	kubeconfig := server.Kubeconfig()
	for _, cluster := range kubeconfig.Clusters {
		cluster.Server = "https://" + address
	}
	if err := clientcmd.WriteToFile(kubeconfig, s.path("kubeconfig")); err != nil {
		t.Fatal(err)
	}
	s.withToken(fmt.Sprintf("{serviceAccount: %s/broker, kubeconfig: %s}", ns, s.path("kubeconfig")))
	var log lockedBuffer
	opened, err := config.Open(t.Context(), s.path("audit.yaml"), builtin.Types(), config.Deps{Static: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := opened.Close(soon(t)); err != nil {
			t.Error(err)
		}
	}()
	s.trailOf(opened.For("broker"))
	eventually(t, "a failure is logged", func() bool { return strings.Contains(log.String(), "a sealed trail goes on without something") })
	if s.certified() {
		t.Error("a token came from nowhere")
	}
	reachable()
	eventually(t, "a later checkpoint has a token", s.certified)
	sealed, err := opened.Sink("sealed")
	if err != nil {
		t.Fatal(err)
	}
	if err := sealed.(interface {
		Wait(ctx context.Context) error
	}).Wait(soon(t)); err != nil {
		t.Error(err)
	}
}

// unreachable returns an address at which a server is not reachable before the function is called.
func unreachable(t *testing.T, server string) (address string, reachable func()) {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return address, func() {
		l, err := lc.Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				from, err := l.Accept()
				if err != nil {
					return
				}
				go forward(t.Context(), from, server)
			}
		}()
	}
}

// forward connects a connection with a server, until one of the two ends it.
func forward(ctx context.Context, from net.Conn, server string) {
	defer func() { _ = from.Close() }()
	var d net.Dialer
	to, err := d.DialContext(ctx, "tcp", server)
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
}

func TestSealAsksForTokensThroughTheClientOfTheProgram(t *testing.T) {
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	c := vouching(t, server, ns)
	s := newSealing(t)
	s.withToken("{serviceAccount: " + ns + "/broker}")
	poor, err := client.New(server.Config, client.Options{Scheme: runtime.NewScheme()})
	if err != nil {
		t.Fatal(err)
	}
	for want, program := range map[string]client.Writer{
		"":                            c,
		"token: the program's client": writer{c},
		"token: kubeseal: the scheme": poor,
	} {
		opened, err := config.Open(t.Context(), s.path("audit.yaml"), builtin.Types(builtin.WithKubeClient(program)), config.Deps{Static: true})
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), "sinks.sealed: cannot be opened: "+want) {
				t.Errorf("got %v, want %q", err, want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s.trailOf(opened.For("broker"))
		if err := opened.Close(soon(t)); err != nil {
			t.Fatal(err)
		}
		if !s.certified() {
			t.Error("the trail has no token")
		}
	}
}

// writer can only write.
type writer struct{ client.Writer }

func TestCheckFilesReadsKeys(t *testing.T) {
	s := newSealing(t)
	s.write("audit.yaml", strings.Replace(s.text, "people: {", "people: {keys: [{id: a, file: "+s.path("hash.key")+"}], ", 1))
	s.write("hash.key", strings.Repeat("x", 32))
	check := func() error {
		f, err := config.Load(s.path("audit.yaml"), builtin.Types())
		if err != nil {
			t.Fatal(err)
		}
		return f.CheckFiles()
	}
	if err := check(); err != nil {
		t.Fatal(err)
	}
	s.write("hash.key", "hunter2")
	s.write("long.key", "PRIVATE+KEY+hunter2+x\n")
	err := check()
	for _, want := range []string{
		filepath.Base(s.path("audit.yaml")) + ":4: redactions.people.keys[0].file: " + s.path("hash.key") + " has 7 bytes",
		"audit.yaml:7: sinks.sealed.key.file: " + s.path("long.key") + " holds no signing key",
	} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := os.Remove(s.path("long.key")); err != nil {
		t.Fatal(err)
	}
	if err := check(); err == nil || !strings.Contains(err.Error(), "sinks.sealed.key.file: there is no key") {
		t.Errorf("a key that is missing: %v", err)
	}
}
