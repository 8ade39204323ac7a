package loki_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/retry"
)

// The test binary starts itself as a process that is killed, and as a process whose
// memory is measured.
const (
	childEnv     = "AUDIT_LOKI_TEST_CHILD"
	childURL     = "AUDIT_LOKI_TEST_URL"
	childNS      = "AUDIT_LOKI_TEST_NAMESPACE"
	childWrites  = "writes"
	childMeasure = "measures"
)

func runChild(what string) int {
	sink, err := loki.New(os.Getenv(childURL), loki.Options{})
	if err == nil {
		if what == childWrites {
			err = writeUntilKilled(sink, os.Getenv(childNS))
		} else {
			err = measureAgainstDeadLoki(sink)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func child(t *testing.T, what, address, ns string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), childEnv+"="+what, childURL+"="+address, childNS+"="+ns)
	return cmd
}

// writeUntilKilled prints the name of every event once it is confirmed.
func writeUntilKilled(sink *loki.Sink, ns string) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for range cap(errs) {
		wg.Go(func() {
			for {
				ae := event(ns, "x")
				if err := sink.Write(context.Background(), ae); err != nil {
					errs <- err
					return
				}
				mu.Lock()
				_, err := os.Stdout.WriteString(ae.Name + "\n")
				mu.Unlock()
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	return <-errs
}

func TestKilledProcessLosesNothingConfirmed(t *testing.T) {
	t.Parallel()
	l := permissive.get(t)
	const kills, side = 200, 4
	ns := namespace()
	var mu sync.Mutex
	confirmed := map[string]bool{}
	var killed atomic.Int64
	var wg sync.WaitGroup
	for range side {
		wg.Go(func() {
			for killed.Add(1) <= kills && !t.Failed() {
				names, err := killAfter(child(t, childWrites, l.URL, ns), int(killed.Load()%40))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, name := range names {
					confirmed[name] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	found := map[string]bool{}
	for _, e := range stored(t, l, "", ns) {
		found[e.Metadata["event"]] = true
	}
	for name := range confirmed {
		if !found[name] {
			t.Errorf("event %s was confirmed and is not stored", name)
		}
	}
	t.Logf("%d kills: %d events confirmed, %d stored", kills, len(confirmed), len(found))
	if len(confirmed) < kills {
		t.Errorf("only %d events were confirmed: the test shows little", len(confirmed))
	}
}

// killAfter starts cmd and kills it with SIGKILL after it has confirmed this many events.
// It returns the names of all events that cmd had confirmed.
func killAfter(cmd *exec.Cmd, some int) ([]string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var names []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		names = append(names, lines.Text())
		if len(names) == some+1 {
			if err := cmd.Process.Kill(); err != nil {
				return nil, err
			}
		}
	}
	_ = cmd.Wait() // the error says that the process was killed
	if len(names) <= some {
		return nil, fmt.Errorf("the process ended by itself after %d events: %s", len(names), stderr.String())
	}
	// The last line may be cut by the kill.
	const ulid = 26
	if last := names[len(names)-1]; len(last) < len("ae-")+ulid {
		names = names[:len(names)-1]
	}
	return names, nil
}

const (
	attempts   = 100_000
	goroutines = 1_000
	heapBound  = 64 << 20
	oneWrite   = time.Second     // the deadline of a write
	overhang   = 4 * time.Second // in which a write returns after its deadline, under -race
)

// measureAgainstDeadLoki returns an error when memory is not bounded, a write returns too
// late, or a goroutine is left. Package retry repeats each write while its context leaves
// time for another attempt. What a busy machine delays is measured by a goroutine that does
// nothing but wait for such contexts.
func measureAgainstDeadLoki(next *loki.Sink) error {
	sink, err := retry.New(next, retry.Options{MinBackoff: 50 * time.Millisecond})
	if err != nil {
		return err
	}
	before := runtime.NumGoroutine()
	base := heap()
	var most atomic.Uint64
	stop := make(chan struct{})
	sampled := make(chan struct{})
	go func() {
		defer close(sampled)
		for tick := time.Tick(500 * time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-tick:
				most.Store(max(most.Load(), heap()))
			}
		}
	}()
	var left atomic.Int64
	left.Store(attempts)
	var confirmed, unclear, slowest, waiting atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for left.Load() > 0 {
			start := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), oneWrite)
			<-ctx.Done()
			cancel()
			waiting.Store(max(waiting.Load(), int64(time.Since(start)-oneWrite)))
		}
	})
	for g := range goroutines {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				ctx, cancel := context.WithTimeout(context.Background(), oneWrite)
				start := time.Now()
				err := sink.Write(ctx, event(fmt.Sprintf("team-%d", g%10), strings.Repeat("why ", 200)))
				slowest.Store(max(slowest.Load(), int64(time.Since(start)))) // approximate, because another goroutine may store in between
				if err == nil {
					confirmed.Add(1)
				} else if !errors.Is(err, auditing.ErrAuditWrite) || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, syscall.ECONNREFUSED) {
					unclear.Add(1)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	close(stop)
	<-sampled
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	grown := int64(most.Load()) - int64(base)
	fmt.Printf("heap grew by at most %.1f MiB; goroutines %d before, %d after; %d confirmed, %d unclear; slowest %s, where waiting alone took up to %s more than its deadline\n",
		float64(grown)/(1<<20), before, runtime.NumGoroutine(), confirmed.Load(), unclear.Load(), time.Duration(slowest.Load()), time.Duration(waiting.Load()))
	late := time.Duration(slowest.Load()-waiting.Load()) > oneWrite+overhang
	if grown > heapBound || runtime.NumGoroutine() > before || late || confirmed.Load()+unclear.Load() > 0 {
		return errors.New("not bounded")
	}
	return sink.Close(context.Background())
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestMemoryStaysBoundedWhileLokiIsDown(t *testing.T) {
	t.Parallel()
	l := permissiveKilled(t)
	out, err := child(t, childMeasure, l, "").CombinedOutput()
	t.Logf("%d attempts from %d goroutines: %s", attempts, goroutines, out)
	if err != nil {
		t.Fatal(err)
	}
}
