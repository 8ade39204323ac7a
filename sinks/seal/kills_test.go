package seal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	logsink "github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/sinks/spool"
)

// The test binary runs itself again as the process that is killed.
const (
	childDir = "AUDIT_SEAL_TEST_DIR"
	childKey = "AUDIT_SEAL_TEST_KEY"

	// killsEnv is how often the process is killed.
	killsEnv     = "AUDIT_SEAL_KILLS"
	defaultKills = 5
	// killsOfOneDir bounds the kills that one directory sees, so that its files stay small.
	killsOfOneDir = 10
)

// killedLogs are the files that the process writes to: by itself, and through a spool.
var killedLogs = []string{"direct.log", "spooled.log"}

// writeUntilKilled writes events through both chains, and says so first.
func writeUntilKilled(dir string) error {
	authority, err := seal.LongTermKey(os.Getenv(childKey))
	if err != nil {
		return err
	}
	direct, err := logsink.NewFile(filepath.Join(dir, killedLogs[0]), logsink.FileOptions{})
	if err != nil {
		return err
	}
	file, err := logsink.NewFile(filepath.Join(dir, killedLogs[1]), logsink.FileOptions{})
	if err != nil {
		return err
	}
	spooled, err := spool.New(filepath.Join(dir, "spool"), file, spool.Options{SegmentBytes: 64 << 10})
	if err != nil {
		return err
	}
	errs := make(chan error, 2)
	var sinks []*seal.Sink
	for _, next := range []auditing.Sink{direct, spooled} {
		s, err := seal.New(next, seal.Options{Component: "proxy", Authority: authority, Interval: time.Millisecond})
		if err != nil {
			return err
		}
		// Events of a trail whose first checkpoint was not stored yet are undetermined, not intact.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err = s.Wait(ctx)
		cancel()
		if err != nil {
			return err
		}
		sinks = append(sinks, s)
	}
	fmt.Println("begin")
	for _, s := range sinks {
		go func() {
			var wg sync.WaitGroup
			for range 2 { // writers
				wg.Go(func() {
					for i := 0; ; i++ {
						if err := s.Write(context.Background(), denial(i)); err != nil {
							errs <- err
							return
						}
						time.Sleep(500 * time.Microsecond) // so that the files stay small
					}
				})
			}
			wg.Wait()
		}()
	}
	return <-errs
}

func TestKilledWriterLeavesAnIntactTrail(t *testing.T) {
	kills := defaultKills
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		must(t, err)
	}
	a := newAuditor(t, time.Time{})
	var dir string
	sealed, events := 0, int64(0)
	for run := range kills {
		if run%killsOfOneDir == 0 {
			dir = t.TempDir()
		}
		killAtRandom(t, a, dir)
		for _, name := range killedLogs {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err != nil || info.Size() == 0 {
				continue // it was killed before the first line
			}
			r := a.fileMustBeIntact(t, path)
			sealed += len(r.Trails)
			events += r.Events
		}
		if t.Failed() {
			t.Fatalf("after kill %d", run+1)
		}
	}
	if events == 0 {
		t.Error("nothing was written: the test shows nothing")
	}
	t.Logf("%d kills, no false alarm, in files that added up to %d trails and %d events", kills, sealed, events)
}

// killAtRandom runs the process and kills it at a random moment.
func killAtRandom(t *testing.T, a *auditor, dir string) {
	t.Helper()
	binary, err := os.Executable()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append(os.Environ(), childDir+"="+dir, childKey+"="+a.private)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if _, err := io.ReadFull(out, make([]byte, len("begin\n"))); err != nil {
		t.Fatalf("it did not begin: %v: %s", err, stderr.String())
	}
	timer := time.AfterFunc(time.Duration(rand.ExpFloat64()*float64(40*time.Millisecond)), func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_, _ = io.Copy(io.Discard, out)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("it ended by itself: %v: %s", err, stderr.String())
	}
}
