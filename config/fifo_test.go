package config_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/config"
)

// fifo makes a FIFO at path, to which nobody writes.
func fifo(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // lets go what waits for a writer
		if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
			_ = f.Close()
		}
	})
}

func TestFileThatIsNotRegularIsRefused(t *testing.T) {
	var all recorders
	pipe := filepath.Join(t.TempDir(), "pipe")
	fifo(t, pipe)
	for _, path := range []string{pipe, "/dev/zero", t.TempDir()} {
		done := make(chan error, 2)
		go func() {
			_, err := config.Load(path, all.types(t))
			done <- err
			_, err = config.Open(context.Background(), path, all.types(t), config.Deps{Static: true})
			done <- err
		}()
		for range 2 {
			select {
			case err := <-done:
				if err == nil || !strings.Contains(err.Error(), "is no regular file") {
					t.Errorf("%s: %v, want that it is no regular file", path, err)
				}
			case <-time.After(3 * time.Second):
				t.Fatalf("%s: not refused in 3 s", path)
			}
		}
	}
}

func TestFIFOInPlaceOfFollowedFileIsRefused(t *testing.T) {
	var all recorders
	path := filepath.Join(t.TempDir(), "audit.yaml")
	put(t, path, to("one"))
	reg := prometheus.NewRegistry()
	trail, err := config.Open(t.Context(), path, all.types(t), config.Deps{Registerer: reg, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	fifo(t, path+".pipe")
	if err := os.Rename(path+".pipe", path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the FIFO is refused", func() bool { return reloadsCounted(t, reg, "refused") == 1 })
	put(t, path, to("two"))
	arrives(t, trail, all.get("two"))
	closeTrail(t, trail)
}
