package webhook_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// receiverEnv makes the test binary a receiver, whose processor time is then not counted.
const receiverEnv = "AUDIT_BENCH_RECEIVER"

// counts are the events that each path has got.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

// ServeHTTP counts the events of a POST by their attribute specversion, and answers a GET with the number.
func (c *counts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the connection has ended
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Method == http.MethodGet {
		fmt.Fprint(w, c.of[r.URL.Path])
		return
	}
	c.of[r.URL.Path] += bytes.Count(body, []byte(`{"specversion":"1.0",`))
	w.WriteHeader(http.StatusNoContent)
}

// serve prints the receiver's address and serves it.
func serve() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	server := &http.Server{Handler: &counts{of: map[string]int{}}, ReadHeaderTimeout: time.Minute}
	return server.Serve(l)
}

// startReceiver starts a receiver in a process of its own, and returns its address.
func startReceiver(b *testing.B) string {
	b.Helper()
	binary, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), receiverEnv+"=yes")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(address)
}
