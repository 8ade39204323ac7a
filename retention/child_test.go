package retention_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/retention"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/seal"
)

// childEnv makes the test binary a reaper: it holds an order as JSON.
const childEnv = "RETENTION_CHILD"

// order tells a reaper in a process of its own what to do.
type order struct {
	Host, Token string
	CA          []byte
	Policy      retention.Policy
	// Archive is the path of an fsynced log; "" for no archive.
	Archive string
	// Namespace has the tombstones, in a trail that Key vouches for; both are "" for none.
	Namespace, Key string
}

// outcome is what that reaper prints after one pass.
type outcome struct {
	Summary        retention.Summary
	Lists, Deletes int64
	Took           time.Duration
	// PeakHeap is the most that the heap took of the system's memory.
	PeakHeap uint64
	// PeakRSS is the most memory that the process had, all in all.
	PeakRSS uint64
}

// child is a reaper that says on stdout how far it is, so that it can be killed
// at any point.
func child() int {
	if err := reapAsOrdered(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func reapAsOrdered() (err error) {
	var o order
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &o); err != nil {
		return err
	}
	opts := retention.Options{Now: later, Logger: quiet}
	if o.Archive != "" {
		archive, err := log.NewFile(o.Archive, log.FileOptions{Fsync: true})
		if err != nil {
			return err
		}
		defer func() { _ = archive.Close(context.Background()) }()
		opts.Archive = archive
	}
	var q requests
	var sent atomic.Int64
	q.before = func(r *http.Request) {
		if o.Key != "" && r.Method == http.MethodGet {
			return
		}
		if n := sent.Add(1); o.Key != "" || r.Method == http.MethodDelete && n%10 == 0 {
			fmt.Println("request", n)
		}
	}
	cfg := q.counted(&rest.Config{Host: o.Host, BearerToken: o.Token, TLSClientConfig: rest.TLSClientConfig{CAData: o.CA}})
	if o.Key != "" {
		tombstones, err := tombstonesOf(cfg, o)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, tombstones.Close(context.Background())) }()
		opts.Tombstones, opts.Namespace = tombstones, o.Namespace
	}
	r, err := retention.New(cfg, o.Policy, opts)
	if err != nil {
		return err
	}
	peak, stop := watchHeap()
	begin := time.Now()
	sum, err := r.Pass(context.Background())
	if err != nil {
		return err
	}
	stop()
	text, err := json.Marshal(outcome{
		Summary: sum, Lists: q.lists.Load(), Deletes: q.deletes.Load(), Took: time.Since(begin), PeakHeap: peak.Load(), PeakRSS: peakRSS(),
	})
	fmt.Println("outcome", string(text))
	return err
}

// tombstonesOf returns the sink of the tombstones, once the checkpoint that opens its trail is stored.
func tombstonesOf(cfg *rest.Config, o order) (*seal.Sink, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	s, err := seals("audit-reaper", o.Namespace, o.Key, c)
	if err == nil {
		err = s.Wait(context.Background())
	}
	return s, err
}

// watchHeap samples what the heap takes of the system's memory, in use or not.
func watchHeap() (peak *atomic.Uint64, stop func()) {
	peak = &atomic.Uint64{}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(samples)
			peak.Store(max(peak.Load(), samples[0].Value.Uint64()+samples[1].Value.Uint64()))
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return peak, func() { close(done); <-ended }
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakRSS is 0 where the system has no /proc.
func peakRSS() uint64 {
	status, _ := os.ReadFile("/proc/self/status")
	if m := highWater.FindSubmatch(status); m != nil {
		kb, _ := strconv.ParseUint(string(m[1]), 10, 64)
		return kb << 10
	}
	return 0
}

// startChild starts a reaper of its own process.
func startChild(tb testing.TB, o order) (cmd *exec.Cmd, lines *bufio.Scanner) {
	tb.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		tb.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd = exec.CommandContext(context.Background(), binary)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	return cmd, bufio.NewScanner(stdout)
}

// killedAfter runs a reaper and kills it with SIGKILL when it has sent so many requests.
// It returns false when the reaper ended before that.
func killedAfter(tb testing.TB, o order, sent int) bool {
	tb.Helper()
	cmd, lines := startChild(tb, o)
	killed := false
	for lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "request "); ok && !killed {
			if so, err := strconv.Atoi(n); err == nil && so >= sent {
				killed = true
				if err := cmd.Process.Kill(); err != nil {
					tb.Fatal(err)
				}
			}
		}
	}
	if err := cmd.Wait(); (err != nil) != killed {
		tb.Fatalf("the reaper ended with %v, killed %t", err, killed)
	}
	return killed
}

// toTheEnd runs a reaper and returns what it says of its pass.
func toTheEnd(tb testing.TB, o order) (out outcome) {
	tb.Helper()
	cmd, lines := startChild(tb, o)
	said := false
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "outcome "); ok {
			said = json.Unmarshal([]byte(text), &out) == nil
		}
	}
	if err := cmd.Wait(); err != nil || !said {
		tb.Fatalf("the reaper ended with %v; it told its outcome: %t", err, said)
	}
	return out
}
