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

// Mortal is a destination on a real server that a test kills and brings back.
type Mortal struct {
	// Sink writes to the server, and gives up soon by itself.
	Sink auditing.Sink
	// Namespace is that of the test's events.
	Namespace string
	// Kill ends the server with SIGKILL, Restart starts it again with its data.
	Kill    func() error
	Restart func(context.Context) error
	// Stored reads back what the server holds, ordered as its readers see it; what
	// is there twice counts twice.
	Stored func(context.Context) ([]v1alpha1.AuditEvent, error)
}

// Mortals start them. loses, when not nil, is asked for each answer to a write
// whether it gets lost on the way: the server has done its part then, and the
// client sees its connection end. The servers do not do that on demand, so a
// proxy in front of them does.
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

// proxy returns the address of one in front of a server.
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
