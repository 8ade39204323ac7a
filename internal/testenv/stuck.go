package testenv

import (
	"io"
	"net/http"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// SwitchesProtocols answers a request with 101 Switching Protocols and sends nothing more,
// like a proxy that takes the request for a WebSocket request. The connection stays open
// until the test ends.
func SwitchesProtocols(tb testing.TB, w http.ResponseWriter) {
	tb.Helper()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		tb.Error(err)
		return
	}
	tb.Cleanup(func() { _ = conn.Close() })
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
}

// EndsWithinASecond starts a program, sends SIGTERM when it still runs after the given
// time, and fails unless it then ends within a second. A program that ends by itself
// before that passes as well.
func EndsWithinASecond(tb testing.TB, cmd *exec.Cmd, after time.Duration) {
	tb.Helper()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ends does not matter here
		close(ended)
	}()
	select {
	case <-ended:
		return
	case <-time.After(after):
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(time.Second):
		tb.Error("it goes on 1 s after SIGTERM")
		_ = cmd.Process.Kill()
		<-ended
	}
}
