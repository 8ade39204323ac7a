package spool_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/spool"
)

// The test binary runs itself again as the process that is killed.
const (
	childEnv   = "AUDIT_SPOOL_TEST_CHILD"
	childDir   = "AUDIT_SPOOL_TEST_DIR"
	childRun   = "AUDIT_SPOOL_TEST_RUN"
	childNS    = "AUDIT_SPOOL_TEST_NAMESPACE"
	childLogs  = "AUDIT_SPOOL_TEST_VICTORIALOGS"
	childKube  = "AUDIT_SPOOL_TEST_KUBE"
	childToken = "AUDIT_SPOOL_TEST_TOKEN"
	childCA    = "AUDIT_SPOOL_TEST_CA"

	childWrites = "writes"

	// killsEnv is how often the process is killed.
	killsEnv     = "AUDIT_SPOOL_KILLS"
	defaultKills = 10
)

func runChild(what string) int {
	var err error
	switch what {
	case childOnTmpfs:
		err = onTmpfs(os.Getenv(childDir))
	case childWrites:
		err = writeUntilKilled()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// The names of the destinations.
const toLogs, toKube = "victorialogs", "kube"

const (
	crashWriters = 4
	crashEvents  = 15 // of each writer in each process, so that delivery keeps up
)

// spools opens two spools in dir: one in front of VictoriaLogs, and one in front of the API server.
func spools(dir, logsURL string, config *rest.Config) (map[string]*spool.Sink, error) {
	lake, err := loki.New(logsURL, loki.Options{Server: loki.ServerVictoriaLogs})
	if err != nil {
		return nil, err
	}
	c, err := kubeClient(config)
	if err != nil {
		return nil, err
	}
	opts := quick()
	opts.SegmentBytes = 16 << 10
	opts.OnDamage = func(d spool.Damage) { fmt.Fprintln(os.Stderr, d) }
	first, err := spool.New(filepath.Join(dir, toLogs), lake, opts)
	if err != nil {
		return nil, err
	}
	second, err := spool.New(filepath.Join(dir, toKube), kube.Sink{Client: c}, opts)
	return map[string]*spool.Sink{toLogs: first, toKube: second}, err
}

func kubeClient(config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}

// writeUntilKilled writes events, and prints which sink has confirmed which event.
func writeUntilKilled() error {
	ca, err := base64.StdEncoding.DecodeString(os.Getenv(childCA))
	if err != nil {
		return err
	}
	config := &rest.Config{
		Host: os.Getenv(childKube), BearerToken: os.Getenv(childToken), QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: ca},
	}
	fmt.Println("begin")
	sinks, err := spools(os.Getenv(childDir), os.Getenv(childLogs), config)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make(chan error, 2*crashWriters)
	for to, s := range sinks {
		for w := range crashWriters {
			wg.Go(func() {
				for i := range crashEvents {
					ae := event(fmt.Sprintf("w%d-%s-%04d", w, os.Getenv(childRun), i))
					ae.Namespace = os.Getenv(childNS)
					if err := s.Write(context.Background(), ae); err != nil {
						errs <- err
						return
					}
					fmt.Printf("%s %s.\n", to, ae.Name)
				}
			})
		}
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		select {} // delivering, until it is killed
	}
}

func TestKillsLoseNothingThatWasConfirmed(t *testing.T) {
	kills := defaultKills
	if n, err := strconv.Atoi(os.Getenv(killsEnv)); err == nil {
		kills = n
	}
	l, k := testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{}), testenv.SharedKube(t)
	ns, dir := k.Namespace(t), t.TempDir()
	confirmed := map[string][]string{}
	start := time.Now()
	for run := range kills {
		cmd := child(t, dir, fmt.Sprintf("%05d", run), ns, l.URL, k.Config)
		if err := killed(cmd, confirmed); err != nil {
			t.Fatalf("process %d: %v", run, err)
		}
	}
	took := time.Since(start)
	sinks, err := spools(dir, l.URL, k.Config)
	if err != nil {
		t.Fatal(err)
	}
	waiting := 0
	for to, s := range sinks {
		sum, err := spool.Stats(filepath.Join(dir, to))
		if err != nil {
			t.Fatal(err)
		}
		waiting += int(sum.Depth)
		drain(t, s)
		if sum, err := spool.Stats(filepath.Join(dir, to)); err != nil || sum.Depth+int64(sum.DeadLetters) > 0 {
			t.Errorf("left in the spool of %s: %+v (%v)", to, sum, err)
		}
	}
	stored := map[string][]string{toLogs: logsNames(t, l, ns), toKube: kubeNames(t, k, ns)}
	for to, names := range stored {
		check(t, to, confirmed[to], names)
		t.Logf("%s: %d kills in %s, %d events confirmed, %d stored, each once and in order",
			to, kills, took.Round(time.Second), len(confirmed[to]), len(names))
	}
	t.Logf("at the last start some %d events were waiting", waiting)
}

func child(t *testing.T, dir, run, ns, logsURL string, config *rest.Config) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), childEnv+"="+childWrites, childDir+"="+dir, childRun+"="+run, childNS+"="+ns,
		childLogs+"="+logsURL, childKube+"="+config.Host, childToken+"="+config.BearerToken,
		childCA+"="+base64.StdEncoding.EncodeToString(config.CAData))
	return cmd
}

// killed runs cmd, kills it at a random moment, and notes the events that it had confirmed.
func killed(cmd *exec.Cmd, confirmed map[string][]string) error {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return fmt.Errorf("it did not begin: %w: %s", cmd.Wait(), stderr.String())
	}
	// Half of the kills come within the first milliseconds, when the process recovers and writes.
	after := time.Duration(rand.ExpFloat64() * float64(60*time.Millisecond))
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	for lines.Scan() {
		to, name, ok := strings.Cut(lines.Text(), " ")
		if name, whole := strings.CutSuffix(name, "."); ok && whole {
			confirmed[to] = append(confirmed[to], name)
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		return fmt.Errorf("it ended by itself: %w: %s", err, stderr.String())
	}
	return nil
}
