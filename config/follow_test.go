package config_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/config"
)

// to returns a file in which the component broker writes to the recorder of this name.
func to(name string) string {
	return head + "sinks: {a: {type: recorder, to: " + name + "}}\ncomponents: {broker: {sink: a}}\n"
}

// arrives writes until an event of the broker arrives in the recorder.
func arrives(t *testing.T, trail *config.Trail, r *recorder) {
	t.Helper()
	eventually(t, "events arrive where the new file says", func() bool {
		if err := trail.For("broker").Write(t.Context(), event(granted)); err != nil {
			t.Fatal(err)
		}
		return len(r.Events()) > 0
	})
}

// put replaces a file by renaming another, as editors do.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestTrailFollowsReplacedAndRewrittenFile(t *testing.T) {
	var all recorders
	path := filepath.Join(t.TempDir(), "audit.yaml")
	put(t, path, to("one"))
	trail := opened(t, path, all.types(t), config.Deps{})
	arrives(t, trail, all.get("one"))
	put(t, path, to("two"))
	arrives(t, trail, all.get("two"))
	if err := os.WriteFile(path, []byte(to("three")), 0o600); err != nil {
		t.Fatal(err)
	}
	arrives(t, trail, all.get("three"))
}

// A ConfigMap is mounted as two links: audit.yaml -> ..data/audit.yaml, and
// ..data -> ..2026_01. For a new version, the kubelet replaces the link ..data.
func TestTrailFollowsSwapOfConfigMap(t *testing.T) {
	var all recorders
	dir := t.TempDir()
	mount := func(version, text string) {
		t.Helper()
		for _, step := range []error{
			os.Mkdir(filepath.Join(dir, version), 0o700),
			os.WriteFile(filepath.Join(dir, version, "audit.yaml"), []byte(text), 0o600),
			os.Symlink(version, filepath.Join(dir, "..data_tmp")),
			os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")),
		} {
			if step != nil {
				t.Fatal(step)
			}
		}
	}
	mount("..2026_01", to("one"))
	path := filepath.Join(dir, "audit.yaml")
	if err := os.Symlink("..data/audit.yaml", path); err != nil {
		t.Fatal(err)
	}
	trail := opened(t, path, all.types(t), config.Deps{})
	arrives(t, trail, all.get("one"))
	for _, version := range []string{"two", "three", "four"} {
		mount("..2026_"+version, to(version))
		arrives(t, trail, all.get(version))
	}
}

func TestTrailReadsFileAgainOnSIGHUP(t *testing.T) {
	var all recorders
	reg := prometheus.NewRegistry()
	path := filepath.Join(t.TempDir(), "audit.yaml")
	put(t, path, to("one"))
	opened(t, path, all.types(t), config.Deps{Registerer: reg})
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the file is read again", func() bool { return reloadsCounted(t, reg, "applied") == 2 })
	if got := all.noted(); !slices.Equal(got, []string{"open a"}) {
		t.Errorf("%v, want a sink that has not changed to go on", got)
	}
}

func TestBadFileIsLoggedAndOldOneGoesOn(t *testing.T) {
	var all recorders
	var log logBuffer
	reg := prometheus.NewRegistry()
	path := filepath.Join(t.TempDir(), "audit.yaml")
	put(t, path, to("one"))
	trail := opened(t, path, all.types(t), config.Deps{Registerer: reg, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	put(t, path, strings.Replace(to("two"), "type: recorder", "type: recroder", 1))
	eventually(t, "the bad file is counted", func() bool { return reloadsCounted(t, reg, "refused") == 1 })
	if gauge(t, reg, "paddock_audit_config_last_reload_successful") != 0 {
		t.Error("the last reload counts as a success")
	}
	eventually(t, "the bad file is logged", func() bool { return strings.Contains(log.String(), "did you mean recorder?") })
	arrives(t, trail, all.get("one"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the missing file is counted", func() bool { return reloadsCounted(t, reg, "refused") == 2 })
	put(t, path, to("two"))
	arrives(t, trail, all.get("two"))
	eventually(t, "the last reload counts as a success", func() bool {
		return gauge(t, reg, "paddock_audit_config_last_reload_successful") == 1
	})
}

// busy writes a file every 10 ms until the test ends.
func busy(t *testing.T, path string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for pace := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-pace.C {
			_ = os.WriteFile(path, []byte(time.Now().String()), 0o600)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func TestBusyNeighbourDoesNotDelayReload(t *testing.T) {
	var all recorders
	path := filepath.Join(t.TempDir(), "audit.yaml")
	put(t, path, to("one"))
	trail := opened(t, path, all.types(t), config.Deps{})
	arrives(t, trail, all.get("one"))
	busy(t, filepath.Join(filepath.Dir(path), "neighbour.log"))
	put(t, path, to("two"))
	begin := time.Now()
	arrives(t, trail, all.get("two"))
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the new file took over after %s", took)
	}
}

func TestFileThatNeverSettlesIsReadAllTheSame(t *testing.T) {
	var all recorders
	path := filepath.Join(t.TempDir(), "audit.yaml")
	put(t, path, to("one"))
	trail := opened(t, path, all.types(t), config.Deps{})
	arrives(t, trail, all.get("one"))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		pace := time.NewTicker(10 * time.Millisecond)
		for n := 0; ctx.Err() == nil; n++ {
			put(t, path, fmt.Sprintf("# %d\n%s", n, to("two")))
			<-pace.C
		}
	}()
	defer func() { cancel(); <-done }()
	begin := time.Now()
	arrives(t, trail, all.get("two"))
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("the new file took over after %s", took)
	}
}
