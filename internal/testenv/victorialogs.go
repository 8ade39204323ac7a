package testenv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// envVictoriaLogs names the victoria-logs binary to use instead of building it.
const envVictoriaLogs = "VICTORIALOGS_BIN"

// VictoriaLogsOptions choose the flags of a VictoriaLogs. The zero value has the server's own defaults: it keeps rows for 7
// days, accepts rows up to 2 days ahead, and writes confirmed rows to its disk within about 5 seconds.
type VictoriaLogsOptions struct {
	// Flags are flags of the server, such as "-retentionPeriod=100y". A change takes effect with the next Restart.
	Flags []string
}

// VictoriaLogs is a single VictoriaLogs process that stores on the local disk.
type VictoriaLogs struct {
	// URL is the root of its API, without a slash at its end: "http://127.0.0.1:12345".
	URL string

	// Options are the options of the next Restart, at first those of the start.
	Options VictoriaLogsOptions

	group   *group
	process *process
	path    string // of the binary
	address string // on which it listens
}

// StartVictoriaLogs starts a VictoriaLogs and returns when it is ready. It builds a missing binary first, which takes less
// than a minute. Stop it when done; it also ends with this process.
func StartVictoriaLogs(opts VictoriaLogsOptions) (*VictoriaLogs, error) {
	path, err := victoriaLogsBinary()
	if err != nil {
		return nil, err
	}
	return onFreePorts(func() (*VictoriaLogs, error) {
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		g, err := newGroup("victorialogs")
		if err != nil {
			return nil, err
		}
		v := &VictoriaLogs{URL: "http://" + address, Options: opts, group: g, path: path, address: address}
		if err := v.start(context.Background()); err != nil {
			return nil, errors.Join(err, g.close())
		}
		return v, nil
	})
}

// NewVictoriaLogs starts a VictoriaLogs for one test and stops it when the test ends.
func NewVictoriaLogs(tb testing.TB, opts VictoriaLogsOptions) *VictoriaLogs {
	tb.Helper()
	v, err := StartVictoriaLogs(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := v.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return v
}

// victoriaLogsBinary returns the path of victoria-logs. It builds it when it is missing.
func victoriaLogsBinary() (string, error) {
	const name = "victoria-logs"
	if path := os.Getenv(envVictoriaLogs); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("testenv: %s must name the %s binary: %w", envVictoriaLogs, name, err)
		}
		return path, nil
	}
	dir, err := built(name)
	return filepath.Join(dir, name), err
}

// DataDir returns the folder in which the server keeps its rows.
func (v *VictoriaLogs) DataDir() string { return filepath.Join(v.group.dir, "data") }

func (v *VictoriaLogs) start(ctx context.Context) error {
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL+"/health", nil)
	if err != nil {
		return fmt.Errorf("testenv: ask VictoriaLogs whether it is ready: %w", err)
	}
	flags := append([]string{
		"-httpListenAddr=" + v.address,
		"-storageDataPath=" + v.DataDir(),
		"-memory.allowedBytes=256MiB", // otherwise it would use most of the machine's memory
	}, v.Options.Flags...)
	if v.process, err = v.group.start(v.path, flags...); err != nil {
		return err
	}
	return v.process.waitReady(ctx, http.DefaultClient, get, "started server at "+v.URL)
}

// Stop kills VictoriaLogs and removes its data. A second call does nothing.
func (v *VictoriaLogs) Stop() error { return v.group.close() }

// Kill ends VictoriaLogs with SIGKILL, as a crash would, and returns when it is gone. Rows that had reached its disk stay.
func (v *VictoriaLogs) Kill() error { return v.process.killRunning() }

// Restart starts VictoriaLogs again after Kill, on the same port with the same data, and returns when it is ready.
func (v *VictoriaLogs) Restart(ctx context.Context) error {
	if err := v.process.mustHaveEnded(); err != nil {
		return err
	}
	return v.start(ctx)
}
