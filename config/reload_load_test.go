package config_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/internal/testenv"
)

const (
	writers = 64
	reloads = 200
)

// variant returns the text of the n-th file. It has a sink of each type, and their keys
// change, so that each sink is kept, opened beside the old one, or handed over.
func variant(n int, dir, loki string) string {
	sinks := []string{
		fmt.Sprintf("  first: {type: log, path: %s/first.log, maxBackups: %d}\n", dir, 1000+n%2),
		fmt.Sprintf("  second: {type: log, path: %s/second.log}\n", dir),
		fmt.Sprintf("  memory: {type: recorder, to: %c}\n", 'a'+rune(n%3)),
		fmt.Sprintf("  again: {type: retry, next: memory, maxAttempts: %d}\n", 3+n%2),
		fmt.Sprintf("  lake: {type: loki, url: %s, maxInFlight: %d}\n", loki, 8+n/2%2),
		fmt.Sprintf("  disk: {type: spool, dir: %s/spool, next: memory, parallel: %d}\n", dir, 4+n/3%2),
	}
	names := []string{"first", "second", "memory", "again", "lake", "disk"}
	text := head + "sinks:\n" + strings.Join(sinks, "") + "components:\n"
	for i := range 4 {
		text += fmt.Sprintf("  c%d: {sink: %s, onFailure: {granted: open, denied: open, warned: open}}\n", i, names[(n+i)%len(names)])
	}
	return text
}

// bad makes a file that is refused: when it is read, when a sink is opened, or
// when a destination is checked.
func bad(n int, text string) string {
	switch n % 4 {
	case 0:
		return strings.Replace(text, "onFailure", "onfailure", 1)
	case 1:
		return text[:len(text)/2] + "}"
	case 2:
		return strings.Replace(text, "components:", "  gone: {type: log, path: /nonexistent/audit.log}\ncomponents:\n  extra: {sink: gone, onFailure: open}", 1)
	default:
		return strings.Replace(text, "components:", "  away: {type: loki, url: 'http://127.0.0.1:1', check: fail}\ncomponents:\n  extra: {sink: away}", 1)
	}
}

func TestWritesUnderReloadsArriveOnceAndNothingLeaks(t *testing.T) {
	loki := testenv.NewLoki(t, testenv.LokiOptions{})
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.yaml")
	put := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(variant(0, dir, loki.URL))

	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	var all recorders
	types := builtin.Types()
	if err := types.Add(config.Type{Name: "recorder", New: func() config.Section { return &recorderSection{all: &all} }}); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	var lost failures
	var log logBuffer
	trail, err := config.Open(t.Context(), path, types, config.Deps{
		Static: true, Registerer: reg, OnFailure: lost.add, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop, written := startWriters(t, trail)
	refused := 0
	for n := 1; n <= reloads; n++ {
		text, isBad := variant(n, dir, loki.URL), n%3 == 0
		if isBad {
			text = bad(n/3, text)
		}
		put(text)
		switch err := trail.Reload(t.Context()); {
		case isBad && err == nil:
			t.Errorf("reload %d: a bad file took over", n)
		case !isBad && err != nil:
			t.Errorf("reload %d: %v", n, err)
		case isBad:
			refused++
		}
	}
	// The last file has the spool, so that what waits there is delivered.
	put(variant(1, dir, loki.URL) + "  drain: {sink: disk}\n")
	if err := trail.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	names := written()
	eventually(t, "the spool is empty", func() bool { return gauge(t, reg, "paddock_audit_spool_depth") == 0 })
	closeTrail(t, trail)
	for _, text := range lost.all() {
		t.Errorf("a write failed: %s", text)
	}
	if strings.Contains(log.String(), "cleanly") {
		t.Errorf("a sink did not close cleanly:\n%s", log.String())
	}
	if got := reloadsCounted(t, reg, "refused"); got != float64(refused) || refused != reloads/3 {
		t.Errorf("%v refused reloads are counted, want %d", got, refused)
	}
	eventually(t, "no goroutine is left", func() bool {
		if runtime.NumGoroutine() <= goroutines {
			return true
		}
		runtime.GC()
		return false
	})
	eventually(t, "no file or connection is left", func() bool { return openFiles(t) <= files })
	account(t, names, dir, loki, &all)
}

// startWriters starts writers. stop ends them, and returns when they have ended. After that,
// written returns the names of their events.
func startWriters(t *testing.T, trail *config.Trail) (stop func(), written func() []string) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	names := make([][]string, writers)
	for w := range writers {
		sink := trail.For(fmt.Sprintf("c%d", w%4))
		wg.Go(func() {
			pace := time.NewTicker(4 * time.Millisecond)
			defer pace.Stop()
			for {
				ae := event(granted)
				if err := sink.Write(context.Background(), ae); err != nil {
					t.Errorf("Write: %v", err)
				}
				names[w] = append(names[w], ae.Name)
				select {
				case <-ctx.Done():
					return
				case <-pace.C:
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }, func() (all []string) {
		for _, own := range names {
			all = append(all, own...)
		}
		return all
	}
}

// account reads every destination back, and expects each event in exactly one of them.
func account(t *testing.T, names []string, dir string, loki *testenv.Loki, all *recorders) {
	t.Helper()
	found := map[string]int{}
	perPlace := map[string]int{}
	logs, _ := filepath.Glob(dir + "/*.log")
	for _, path := range logs {
		for _, name := range namesInLog(t, path) {
			found[name]++
			perPlace[filepath.Base(path)]++
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		for _, ae := range all.get(name).Events() {
			found[ae.Name]++
			perPlace["recorder "+name]++
		}
	}
	entries, err := loki.Query(context.Background(), "", `{namespace="team-a"}`, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		found[nameIn(t, []byte(e.Line))]++
		perPlace["loki"]++
	}
	t.Logf("%d events: %v", len(names), perPlace)
	wrong := 0
	for _, name := range names {
		if found[name] != 1 {
			wrong++
		}
	}
	if wrong > 0 || len(found) != len(names) || len(perPlace) < 6 {
		t.Errorf("%d of %d events are not there exactly once; there are %d, in %v", wrong, len(names), len(found), perPlace)
	}
}

func namesInLog(t *testing.T, path string) (names []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for scanner := bufio.NewScanner(bytes.NewReader(data)); scanner.Scan(); {
		names = append(names, nameIn(t, scanner.Bytes()))
	}
	return names
}

func nameIn(t *testing.T, line []byte) string {
	t.Helper()
	var ae v1alpha1.AuditEvent
	if err := json.Unmarshal(line, &ae); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return ae.Name
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc on this system")
	}
	return len(entries)
}

// failures collects the errors that OnFailure gets.
type failures struct {
	mu    sync.Mutex
	texts []string
}

func (f *failures) add(_ context.Context, _ *v1alpha1.AuditEvent, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts = append(f.texts, componentOf(err)+": "+err.Error())
}

func (f *failures) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.texts[:min(len(f.texts), 10)]
}
