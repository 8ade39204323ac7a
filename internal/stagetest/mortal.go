package stagetest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/loki"
)

// Mortal is a destination on a real server that a test kills and starts again.
type Mortal struct {
	// Sink writes to the server. It has a short timeout of its own.
	Sink auditing.Sink
	// Namespace of the test's events.
	Namespace string
	// Kill ends the server with SIGKILL. Restart starts it again with its data.
	Kill    func() error
	Restart func(context.Context) error
	// Stored reads the events back, in the order in which readers of the server see them.
	// An event that is stored twice is returned twice.
	Stored func(context.Context) ([]v1alpha1.AuditEvent, error)
}

// Mortals have a function that starts a Mortal of each kind. If loses is not nil, it is
// called for each answer to a write and says whether the answer is lost. The server has
// then stored the event, and the client only sees that its connection ends. Servers cannot do
// that on demand, so a proxy in front of them does it.
var Mortals = []struct {
	Name  string
	Start func(t *testing.T, loses func() bool) Mortal
}{
	{"kube", mortalKube},
	{"loki", mortalLoki},
}

func mortalKube(t *testing.T, loses func() bool) Mortal {
	t.Helper()
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	reader, release := kubeClient(t, server.Config, client.Options{})
	t.Cleanup(release)
	config := server.Config
	if loses != nil {
		through, err := rest.TransportFor(server.Config)
		if err != nil {
			t.Fatal(err)
		}
		config = &rest.Config{Host: proxy(t, server.Config.Host, through, loses), QPS: -1}
	}
	writer, release := kubeClient(t, config, client.Options{Mapper: reader.RESTMapper()})
	t.Cleanup(release)
	return Mortal{
		Sink: kube.Sink{Client: writer, Component: "broker"}, Namespace: ns,
		Kill: server.KillAPIServer, Restart: server.RestartAPIServer,
		Stored: func(ctx context.Context) ([]v1alpha1.AuditEvent, error) { return objects(ctx, reader, ns) },
	}
}

func mortalLoki(t *testing.T, loses func() bool) Mortal {
	t.Helper()
	server := testenv.NewLoki(t, testenv.LokiOptions{})
	address := server.URL
	if loses != nil {
		address = proxy(t, server.URL, &http.Transport{}, loses)
	}
	sink, err := loki.New(address, loki.Options{ServiceName: lokiService, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return Mortal{
		Sink: sink, Namespace: "team-a", Kill: server.Kill, Restart: server.Restart,
		Stored: func(ctx context.Context) ([]v1alpha1.AuditEvent, error) { return rows(ctx, server) },
	}
}

// proxy starts a proxy in front of a server and returns its address.
func proxy(t *testing.T, server string, through http.RoundTripper, loses func() bool) string {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: through,
		ModifyResponse: func(resp *http.Response) error {
			if resp.Request.Method == http.MethodPost && loses() {
				panic(http.ErrAbortHandler)
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	t.Cleanup(front.Close)
	return front.URL
}
