package testenv_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/testenv"
)

// crashEnv says how the test binary has to end that TestServersEndWithACrashedTestBinary starts.
const crashEnv = "TESTENV_CRASH"

// TestCrashHere runs in the test binary that TestServersEndWithACrashedTestBinary starts. It starts servers, prints their
// addresses, and ends as crashEnv says, without a chance to clean up. Without crashEnv it does nothing.
func TestCrashHere(t *testing.T) {
	how := os.Getenv(crashEnv)
	if how == "" {
		return
	}
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	fmt.Println("listening", l.URL)
	if how == "panic" {
		fmt.Println("listening", testenv.SharedKube(t).Config.Host)
		fmt.Println("crash now")
		panic("a test panics")
	}
	fmt.Println("crash now")
	<-t.Context().Done() // until the process is killed, or the timeout of go test ends it
}

func TestServersEndWithACrashedTestBinary(t *testing.T) {
	for _, how := range []string{"panic", "SIGKILL", "timeout"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			tmp := t.TempDir()
			binary, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), binary, "-test.run=^TestCrashHere$", "-test.v")
			if how == "timeout" {
				cmd.Args = append(cmd.Args, "-test.timeout=15s")
			}
			cmd.Env = append(os.Environ(), crashEnv+"="+how, "TMPDIR="+tmp)
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var addresses []string
			for lines := bufio.NewScanner(stdout); lines.Scan(); {
				if server, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
					addresses = append(addresses, hostOf(t, server))
				}
				if lines.Text() == "crash now" && how == "SIGKILL" {
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := cmd.Wait(); err == nil {
				t.Fatal("the test binary ended well, it was to crash")
			}
			if len(addresses) == 0 {
				t.Fatal("the test binary started no server")
			}
			eventually(t, func(ctx context.Context) error { return nothingLeft(ctx, tmp, addresses) })
		})
	}
}

func TestStopLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	l, err := testenv.StartLoki(testenv.LokiOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second Stop does nothing
		if err := l.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if err := nothingLeft(t.Context(), tmp, []string{hostOf(t, l.URL)}); err != nil {
		t.Error(err)
	}
}

func hostOf(t *testing.T, server string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// nothingLeft returns an error when something is left of the servers: a file in the folder, an address on which a process
// listens, or a process with the folder's path among its arguments, as every server has.
func nothingLeft(ctx context.Context, dir string, addresses []string) error {
	files, err := filepath.Glob(filepath.Join(dir, "audit-*"))
	if err != nil {
		return err
	}
	if len(files) > 0 {
		return fmt.Errorf("files are left: %v", files)
	}
	var dialer net.Dialer
	for _, address := range addresses {
		if conn, err := dialer.DialContext(ctx, "tcp", address); err == nil {
			_ = conn.Close()
			return fmt.Errorf("%s is still listened on", address)
		}
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline") // none where the system has no /proc
	if err != nil {
		return err
	}
	for _, process := range processes {
		if args, err := os.ReadFile(process); err == nil && strings.Contains(string(args), dir) {
			return fmt.Errorf("a process is left: %q", args)
		}
	}
	return nil
}
