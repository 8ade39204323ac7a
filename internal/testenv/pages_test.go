package testenv_test

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/paddock-dev/audit/internal/pages"
)

var address = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// The page starts the stand-in for Loki at the port of Loki. The test gives it a free one.
func TestStandinStartsAsThePageSays(t *testing.T) {
	commands, err := pages.Of("../..", "docs/loki-facts.md")
	if err != nil {
		t.Fatal(err)
	}
	started := 0
	for _, c := range commands {
		if c.Block == pages.Indented && c.NotRun == "" {
			started++
			answersReady(t, address.ReplaceAllString(c.Text, "127.0.0.1:0"))
		}
	}
	if started != 1 {
		t.Errorf("the page has %d commands, want 1", started)
	}
}

// answersReady runs a command in the root of the repository until the server that it starts says that it is ready.
func answersReady(t *testing.T, command string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", command)
	cmd.Dir, cmd.Env, cmd.Stderr = "../..", append(os.Environ(), "TMPDIR="+t.TempDir()), os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // go run has a child
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cmd.Cancel(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), " is listening on http://") {
	}
	at := address.FindString(lines.Text())
	if at == "" {
		t.Fatalf("%s ends without an address: %v", command, lines.Err())
	}
	get, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+at+"/ready", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(get)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: it answers %s", command, resp.Status)
	}
}
