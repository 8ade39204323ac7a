package switching_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/switching"
)

func TestSwitchingProtocolsIsAnError(t *testing.T) {
	closed := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fine" {
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, err = conn.Read(make([]byte, 1))
		closed <- err
	}))
	defer server.Close()
	client := &http.Client{Transport: switching.Refuse(&http.Transport{})}
	defer client.CloseIdleConnections()

	resp, err := client.Get(server.URL)
	if err == nil {
		resp.Body.Close()
		t.Fatal("101 is taken for an answer")
	}
	if !strings.Contains(err.Error(), "101 Switching Protocols") {
		t.Error(err)
	}
	if err := <-closed; err == nil {
		t.Error("the connection stays open")
	}
	resp, err = client.Get(server.URL + "/fine")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
