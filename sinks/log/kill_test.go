package log_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/sinks/log"
)

const (
	// killedEnv names the file that the test writes to in the process that is killed.
	killedEnv = "AUDIT_TEST_KILLED_LOG"
	// killsEnv is how often a process is killed.
	killsEnv     = "AUDIT_LOG_KILLS"
	defaultKills = 5

	killedWriters = 64
)

// writeUntilKilled prints the name of each event that is confirmed.
func writeUntilKilled(path string) error {
	sink, err := log.NewFile(path, log.FileOptions{Fsync: true, MaxSizeMB: 1})
	if err != nil {
		return err
	}
	fmt.Println("begin")
	errs := make(chan error)
	for range killedWriters {
		go func() {
			for {
				ae := egressEvent(denied)
				ae.Spec.Detail = map[string]string{"text": strings.Repeat("x", 1<<rand.IntN(12))}
				if err := sink.Write(context.Background(), ae); err != nil {
					errs <- err
					return
				}
				fmt.Println("confirmed", ae.Name+".")
			}
		}()
	}
	return <-errs
}

func TestKillLosesNoConfirmedLineOfManyWriters(t *testing.T) {
	if path := os.Getenv(killedEnv); path != "" {
		must(t, writeUntilKilled(path))
	}
	kills := defaultKills
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		must(t, err)
	}
	lines, torn, rotated := 0, 0, 0
	for run := range kills {
		dir := t.TempDir()
		path := filepath.Join(dir, "audit.log")
		confirmed := writeAndKill(t, path)
		left := lookAtKilled(t, path)
		for _, name := range confirmed {
			if !left.names[name] {
				t.Errorf("kill %d: %s was confirmed and is in no file", run, name)
			}
		}
		lines, torn, rotated = lines+len(confirmed), torn+left.torn, rotated+left.files-1
		must(t, os.RemoveAll(dir))
		if t.Failed() {
			t.FailNow()
		}
	}
	if lines == 0 {
		t.Error("nothing was confirmed: the test shows nothing")
	}
	t.Logf("%d kills: %d confirmed lines are all there; %d rotations, %d lines torn at the end", kills, lines, rotated, torn)
}

// writeAndKill runs this test in another process, kills it at a random moment, and returns the
// events that it had confirmed.
func writeAndKill(t *testing.T, path string) (confirmed []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestKillLosesNoConfirmedLineOfManyWriters$") //nolint:gosec // this test itself
	cmd.Env = append(os.Environ(), killedEnv+"="+path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	printed := bufio.NewScanner(out)
	if !printed.Scan() || printed.Text() != "begin" {
		t.Fatalf("it did not begin: %s, %v: %s", printed.Text(), cmd.Wait(), stderr.String())
	}
	timer := time.AfterFunc(time.Duration(rand.ExpFloat64()*float64(40*time.Millisecond)), func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	for printed.Scan() {
		name, ok := strings.CutPrefix(printed.Text(), "confirmed ")
		if name, whole := strings.CutSuffix(name, "."); ok && whole {
			confirmed = append(confirmed, name)
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("it ended by itself: %v: %s", err, stderr.String())
	}
	return confirmed
}

// killed is what a kill left.
type killed struct {
	names       map[string]bool // of the events in whole lines
	files, torn int
}

// lookAtKilled fails when a line is torn that is not the last one of the file at path.
func lookAtKilled(t *testing.T, path string) killed {
	t.Helper()
	left := killed{names: map[string]bool{}}
	current, err := os.Stat(path)
	must(t, err)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "audit*.log"))
	must(t, err)
	for _, file := range files {
		info, err := os.Stat(file)
		must(t, err)
		if file != path && os.SameFile(info, current) {
			continue // a second name, from within a rotation
		}
		left.files++
		text, err := os.ReadFile(file)
		must(t, err)
		for line := range strings.Lines(string(text)) {
			var ae struct{ Metadata struct{ Name string } }
			err := json.Unmarshal([]byte(line), &ae)
			switch {
			case err == nil && strings.HasSuffix(line, "\n"):
				left.names[ae.Metadata.Name] = true
			case file == path && strings.HasSuffix(string(text), line) && !strings.HasSuffix(line, "\n"):
				left.torn++
			default:
				t.Errorf("%s: a line is torn, and not the last one of the log: %.300q", filepath.Base(file), line)
			}
		}
	}
	return left
}
