package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

// start returns a client that goes through a proxy that may reach 127.0.0.1,
// and what the proxy reports about allowed requests that went unrecorded.
func start(t *testing.T, trail *sinktest.Recorder) (client *http.Client, proxyURL string, reported chan error) {
	t.Helper()
	reported = make(chan error, 10)
	server := httptest.NewServer(New(trail, []string{"127.0.0.1"}, "team-a", "hr-1", func(err error) { reported <- err }))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(u), DisableKeepAlives: true}}
	return client, server.URL, reported
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func get(t *testing.T, client *http.Client, address string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// decided is an event in short: what was decided upon where.
func decided(ae v1alpha1.AuditEvent) string {
	return fmt.Sprintf("%s %s %s:%d", ae.Spec.Decision, ae.Spec.Kind, ae.Spec.Destination.Host, ae.Spec.Destination.Port)
}

func TestAnAllowedRequestIsRecordedBeforeItsDestinationSeesIt(t *testing.T) {
	var trail sinktest.Recorder
	seen := make(chan int, 1)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		seen <- len(trail.Events())
		_, _ = io.WriteString(w, "hello")
	}))
	defer site.Close()
	client, _, _ := start(t, &trail)
	if status, body := get(t, client, site.URL+"/x?q=1"); status != http.StatusOK || body != "hello" {
		t.Fatalf("answer %d %q", status, body)
	}
	if n := <-seen; n != 1 {
		t.Errorf("%d events when the destination was reached, want 1", n)
	}
	if got, want := decided(trail.Events()[0]), "granted egress-allow "+strings.TrimPrefix(site.URL, "http://"); got != want {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

func TestTLSGoesThroughCONNECT(t *testing.T) {
	var trail sinktest.Recorder
	site := httptest.NewTLSServer(http.HandlerFunc(hello))
	defer site.Close()
	client, _, _ := start(t, &trail)
	client.Transport.(*http.Transport).TLSClientConfig = site.Client().Transport.(*http.Transport).TLSClientConfig // trusts its certificate
	if status, body := get(t, client, site.URL); status != http.StatusOK || body != "hello" {
		t.Fatalf("answer %d %q", status, body)
	}
	if got, want := decided(trail.Events()[0]), "granted egress-allow "+strings.TrimPrefix(site.URL, "https://"); got != want {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

func TestADeniedRequestIsRecordedAndAnswered403(t *testing.T) {
	var trail sinktest.Recorder
	client, _, _ := start(t, &trail)
	if status, _ := get(t, client, "http://169.254.169.254/latest"); status != http.StatusForbidden {
		t.Errorf("answer %d, want 403", status)
	}
	if got, want := decided(trail.Events()[0]), "denied egress-block 169.254.169.254:80"; got != want {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

func TestADenialThatCannotBeRecordedIsAnswered502(t *testing.T) {
	var trail sinktest.Recorder
	trail.FailWith(errors.New("the destination is down"))
	client, _, reported := start(t, &trail)
	if status, _ := get(t, client, "http://169.254.169.254/latest"); status != http.StatusBadGateway {
		t.Errorf("answer %d, want 502", status)
	}
	if len(reported) != 0 {
		t.Error("a denial was reported as an allowed request")
	}
}

func TestAnAllowedRequestGoesOnUnrecordedAndIsReported(t *testing.T) {
	var trail sinktest.Recorder
	down := errors.New("the destination is down")
	trail.FailWith(down)
	site := httptest.NewServer(http.HandlerFunc(hello))
	defer site.Close()
	client, _, reported := start(t, &trail)
	if status, _ := get(t, client, site.URL); status != http.StatusOK {
		t.Errorf("answer %d, want 200", status)
	}
	if err := <-reported; !errors.Is(err, down) {
		t.Errorf("reported %v", err)
	}
}

func TestAClientThatHangsUpStillLeavesItsEvent(t *testing.T) {
	var trail sinktest.Recorder
	release := trail.Hang()
	_, proxyURL, _ := start(t, &trail)
	u, err := url.Parse(proxyURL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET http://169.254.169.254/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	release()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for len(trail.Events()) == 0 {
		if ctx.Err() != nil {
			t.Fatal("no event was recorded")
		}
	}
}

func TestARequestThatIsNoProxyRequestIsAnswered400(t *testing.T) {
	var trail sinktest.Recorder
	_, proxyURL, _ := start(t, &trail)
	for name, line := range map[string]string{
		"no destination": "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n",
		"no port":        "CONNECT host:port HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(proxyURL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, line); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest {
				t.Errorf("answer %d, want 400", resp.StatusCode)
			}
		})
	}
}
