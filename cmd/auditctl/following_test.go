package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/multi"
	"github.com/paddock-dev/audit/sinks/retry"
	"github.com/paddock-dev/audit/sinks/spool"
)

// routes are where events go, in turn: to all places or to one. The name of an event ends
// with its route.
var routes = []string{"all", "kube", "vl", "log"}

func routeOf(name string) string { return name[strings.LastIndexByte(name, '-')+1:] }

// following is auditctl logs -f, and what it has printed.
type following struct {
	cancel  context.CancelFunc
	ended   chan int // the exit code
	mu      sync.Mutex
	rest    []byte         // the begin of a line
	times   map[string]int // events by name, and how often each was printed
	byRoute map[string]int // events
	said    bytes.Buffer   // on the standard error
}

func startFollowing(t *testing.T, args ...string) *following {
	t.Helper()
	f := &following{ended: make(chan int, 1), times: map[string]int{}, byRoute: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	f.cancel = cancel
	env := &environment{
		in: strings.NewReader(""), out: writing(f.print), errOut: writing(f.say), name: "auditctl", local: time.UTC,
		now: time.Now, getenv: func(string) string { return "" },
	}
	go func() { f.ended <- run(ctx, env, append([]string{"logs", "-f", "-o", "ndjson"}, args...)) }()
	return f
}

// writing is a function as an io.Writer.
type writing func([]byte)

// Write implements io.Writer.
func (w writing) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func (f *following) print(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rest = append(f.rest, p...)
	for {
		line, rest, whole := bytes.Cut(f.rest, []byte("\n"))
		if !whole {
			return
		}
		var ae struct{ Metadata struct{ Name string } }
		_ = json.Unmarshal(line, &ae) // what cannot be read has no name that was written
		if f.times[ae.Metadata.Name]++; f.times[ae.Metadata.Name] == 1 {
			f.byRoute[routeOf(ae.Metadata.Name)]++
		}
		f.rest = rest
	}
}

func (f *following) say(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said.Write(p)
}

// count returns how many events were printed.
func (f *following) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.times)
}

// routed returns how many events of each route were printed.
func (f *following) routed() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.byRoute)
}

// arrive waits for n more events of each route.
func (f *following) arrive(t *testing.T, n int) {
	t.Helper()
	before := f.routed()
	f.until(t, "events of each route", func() bool {
		now := f.routed()
		return !slices.ContainsFunc(routes, func(route string) bool { return now[route] < before[route]+n })
	})
}

// until waits for a condition.
func (f *following) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s: %s", what, f.state())
		}
	}
}

func (f *following) state() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprintf("%d events were printed: %v; auditctl said: %.2000s", len(f.times), f.byRoute, f.said.String())
}

// failures returns how often auditctl has said that a source failed.
func (f *following) failures(source string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Count(f.said.String(), "the source "+source+" failed")
}

// stop ends auditctl.
func (f *following) stop(t *testing.T) {
	t.Helper()
	f.cancel()
	select {
	case code := <-f.ended:
		if code != sourceFailed {
			t.Errorf("auditctl exits with %d, want %d", code, sourceFailed)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("auditctl goes on 10 s after its context has ended")
	}
}

// onceEach fails unless exactly these events were printed, each once.
func (f *following) onceEach(t *testing.T, names []string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		if n := f.times[name]; n != 1 {
			t.Errorf("%s was printed %d times", name, n)
		}
		delete(f.times, name)
	}
	for name, n := range f.times {
		t.Errorf("%q was printed %d times, and not written", name, n)
	}
}

// maxAhead is how many events may have been written and not printed.
const maxAhead = 1000

// writer writes events until it is stopped.
type writer struct {
	t       *testing.T
	ns      string
	path    string
	log     *log.Sink
	to      map[string]auditing.Sink // by route
	written []string
	n       atomic.Int64 // events written
	cancel  context.CancelFunc
	ended   chan struct{}
}

// startWriting writes to the sinks of servers through spools, and to a log, never more than
// maxAhead events ahead of f.
func startWriting(t *testing.T, f *following, ns string, servers map[string]auditing.Sink, path string) *writer {
	t.Helper()
	file, err := log.NewFile(path, log.FileOptions{Options: log.Options{Component: "proxy"}})
	if err != nil {
		t.Fatal(err)
	}
	tried, err := retry.New(file, retry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{t: t, ns: ns, path: path, log: file, to: map[string]auditing.Sink{"log": tried}, ended: make(chan struct{})}
	children := []multi.Child{{Name: "log", Sink: tried}}
	for name, server := range servers {
		spooled, err := spool.New(t.TempDir(), server, spool.Options{MaxBackoff: 500 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		w.to[name] = spooled
		children = append(children, multi.Child{Name: name, Sink: spooled})
	}
	all, err := multi.New(children, multi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.to["all"] = all
	t.Cleanup(func() {
		w.stop(t)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := all.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	w.cancel = cancel
	go w.run(ctx, f)
	return w
}

func (w *writer) run(ctx context.Context, f *following) {
	defer close(w.ended)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		if w.count() < f.count()+maxAhead {
			w.write(context.WithoutCancel(ctx))
		}
		<-tick.C
	}
}

// write writes the next event. Its name is among those written when that was confirmed.
func (w *writer) write(ctx context.Context) {
	route := routes[len(w.written)%len(routes)]
	ae := auditing.NewEgressBlock(auditing.EgressInput{Namespace: w.ns, RunName: "run-1", Host: "example.com", Port: 443, Reason: "no policy"})
	ae.Name = fmt.Sprintf("ae-%06d-%s", len(w.written), route)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := w.to[route].Write(ctx, ae); err != nil {
		w.t.Error(err)
		return
	}
	w.written = append(w.written, ae.Name)
	w.n.Add(1)
}

func (w *writer) count() int { return int(w.n.Load()) }

// stop ends the writing. A second call does nothing.
func (w *writer) stop(t *testing.T) {
	t.Helper()
	w.cancel()
	select {
	case <-w.ended:
	case <-time.After(2 * time.Minute):
		t.Fatal("a write goes on for 2 minutes")
	}
}

// rename rotates the log as logrotate does.
func (w *writer) rename(t *testing.T, to string) {
	t.Helper()
	if err := os.Rename(w.path, to); err != nil {
		t.Fatal(err)
	}
	if err := w.log.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// victoriaLogs returns a sink that confirms what is on the server's disk.
func victoriaLogs(t *testing.T, server *testenv.VictoriaLogs) auditing.Sink {
	t.Helper()
	s, err := loki.New(server.URL+"/insert", loki.Options{Component: "proxy", Server: loki.ServerVictoriaLogs, Level: auditing.LevelAcknowledged})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
