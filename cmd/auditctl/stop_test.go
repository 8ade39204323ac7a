package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/testenv"
)

// fullPipe returns the writing end of a pipe that is full.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = w.Write(make([]byte, 4096))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return w
}

func TestSIGTERMEndsAuditctlWithinASecond(t *testing.T) {
	binary := built(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	one := func(sink string) string {
		return file(t, "sinks: {a: "+sink+"}\ncomponents: {broker: {sink: a}}\n")
	}
	lake := one("{type: loki, check: skip, url: 'http://" + silent.Addr().String() + "'}")
	for name, c := range map[string]struct {
		out  *os.File
		args []string
	}{
		"a reader that does not read": {fullPipe(t), []string{"sinks"}},
		"a server that is silent":     {nil, []string{"send", "--timeout", "5m", "--component", "broker", "--config", lake}},
		"a FIFO as kubeconfig":        {nil, []string{"send", "--timeout", "5m", "--component", "broker", "--config", one("{type: kube, kubeconfig: " + pipe + "}")}},
		"a FIFO as configuration":     {nil, []string{"check", pipe}},
		"a FIFO as log":               {nil, []string{"get", pipe}},
		"a log that is followed":      {nil, []string{"logs", "-f", "testdata/export.txt"}},
		"a pipe that is followed":     {nil, []string{"logs", "-f", pipe, "-"}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), binary, c.args...)
			if c.out != nil {
				cmd.Stdout = c.out
			}
			testenv.EndsWithinASecond(t, cmd, 500*time.Millisecond)
		})
	}
}
