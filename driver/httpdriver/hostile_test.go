package httpdriver_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver/httpdriver"
	"github.com/paddock-dev/audit/internal/testenv"
)

func TestRedirectGoesNowhere(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	page := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		gateway := httptest.NewServer(http.RedirectHandler(page, status))
		t.Cleanup(gateway.Close)
		c := open(t, gateway.URL, httpdriver.Options{HTTP: promconfig.HTTPClientConfig{BearerToken: "hunter2"}})
		expect(t, post(t, c), httpdriver.NotStored, auditing.ClassTransient, "redirects")
		contains(t, c.Get(shortly(t), "/", 100).Err, "redirects")
	}
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("the other host got %d requests", n)
	}
}

// endless sends its status at once, and then more text for as long as it can.
func endless(t *testing.T, status int, text string, pause time.Duration) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		for {
			_, err := io.WriteString(w, text)
			if err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(pause):
			}
		}
	})
}

func TestAnswerThatDoesNotEndIsBounded(t *testing.T) {
	t.Parallel()
	const timeout = 300 * time.Millisecond
	trickle := func(status int) string { return endless(t, status, "#", 20*time.Millisecond) }
	flood := func(status int) string { return endless(t, status, strings.Repeat("#", 1<<16), 0) }
	for name, address := range map[string]func(int) string{"trickle": trickle, "flood": flood} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			short := httpdriver.Options{Timeout: timeout}
			a := post(t, open(t, address(503), short))
			expect(t, a, httpdriver.Unclear, auditing.ClassTransient, "503: #")
			if len(a.Body) > 8<<10 {
				t.Errorf("%d bytes are kept", len(a.Body))
			}
			if a := post(t, open(t, address(200), short)); a.Err != nil { // the status says enough
				t.Error(a.Err)
			}
			short.MaxBody = 1 << 20
			a = post(t, open(t, address(200), short))
			expect(t, a, httpdriver.Unclear, auditing.ClassTransient, "200, and the answer cannot be read")
			if len(a.Body) > short.MaxBody {
				t.Errorf("%d bytes are kept", len(a.Body))
			}
			if name == "trickle" {
				contains(t, a.Err, "Options.Timeout is over")
			}
		})
	}
}

func TestAnswerOfOneGigabyteIsNotRead(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1073741824")
		chunk := make([]byte, 1<<20)
		for range 1024 {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	expect(t, post(t, open(t, address, httpdriver.Options{MaxBody: 1000})), httpdriver.Unclear, auditing.ClassTransient, "more than 1000 bytes")
	if a := post(t, open(t, address, httpdriver.Options{})); a.Err != nil || len(a.Body) > 8<<10 {
		t.Errorf("%d bytes: %v", len(a.Body), a.Err)
	}
	contains(t, open(t, address, httpdriver.Options{}).Get(shortly(t), "", 1000).Err, "more than 1000 bytes")
	if n := sent.Load(); n > 512<<20 { // 3 GiB would be all; some is in the buffers of connections
		t.Errorf("%d bytes were taken", n)
	}
}

func TestBodyThatTheSinkReadsIsWhole(t *testing.T) {
	t.Parallel()
	const max = 1 << 20
	c := open(t, answering(t, 200, strings.Repeat("x", max)), httpdriver.Options{MaxBody: max})
	if a := post(t, c); a.Err != nil || len(a.Body) != max {
		t.Errorf("%d bytes: %v", len(a.Body), a.Err)
	}
	if a := c.Get(shortly(t), "/", max); a.Err != nil || len(a.Body) != max {
		t.Errorf("%d bytes: %v", len(a.Body), a.Err)
	}
	contains(t, c.Get(shortly(t), "/", max-1).Err, "more than")
	cut := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "half")
	})
	judged := func(*httpdriver.Answer) { t.Error("half an answer is judged") }
	expect(t, post(t, open(t, cut, httpdriver.Options{MaxBody: 10, Judge: judged})), httpdriver.Unclear, auditing.ClassTransient, "unexpected EOF")
	if a := post(t, open(t, cut, httpdriver.Options{})); a.Err != nil {
		t.Error(a.Err)
	}
}

func TestSwitchingProtocolsIsNoAnswer(t *testing.T) {
	t.Parallel()
	c := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { testenv.SwitchesProtocols(t, w) }), httpdriver.Options{})
	a := post(t, c)
	expect(t, a, httpdriver.Unclear, auditing.ClassTransient, "101", "no answer to a request")
	if a.Status != 0 {
		t.Errorf("status %d", a.Status)
	}
}

func TestLostConnectionTellsWhatIsKnown(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	expect(t, post(t, open(t, "http://"+closed.Addr().String(), httpdriver.Options{})), httpdriver.NotSent, auditing.ClassTransient, "not sent: POST", "connection refused")
	expect(t, post(t, open(t, "http://server.invalid", httpdriver.Options{})), httpdriver.NotSent, auditing.ClassTransient, "server.invalid")
	hangsUp := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	})
	expect(t, post(t, open(t, hangsUp, httpdriver.Options{})), httpdriver.Unclear, auditing.ClassTransient, "outcome is unknown", "EOF")
	encrypted := httptest.NewTLSServer(http.NotFoundHandler()) // with a certificate that nobody knows
	t.Cleanup(encrypted.Close)
	expect(t, post(t, open(t, encrypted.URL, httpdriver.Options{})), httpdriver.NotSent, auditing.ClassTransient, "certificate")
}
