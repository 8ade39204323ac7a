package testenv

import (
	"context"
	"fmt"
	"net/http"
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
	single

	// URL is the root of its API, without a slash at its end: "http://127.0.0.1:12345".
	URL string

	// Options are the options of the next Restart, at first those of the start.
	Options VictoriaLogsOptions
}

// StartVictoriaLogs starts a VictoriaLogs and returns when it is ready. It builds a missing binary first, which takes less
// than a minute. Stop it when done; it also ends with this process.
func StartVictoriaLogs(opts VictoriaLogsOptions) (*VictoriaLogs, error) {
	path, err := binary(envVictoriaLogs, "victoria-logs")
	if err != nil {
		return nil, err
	}
	return startSingle("victorialogs", path, 1, func(one single) (*VictoriaLogs, error) {
		v := &VictoriaLogs{single: one, URL: "http://" + one.addresses[0], Options: opts}
		err := v.start(context.Background())
		return v, err
	})
}

// NewVictoriaLogs starts a VictoriaLogs for one test and stops it when the test ends.
func NewVictoriaLogs(tb testing.TB, opts VictoriaLogsOptions) *VictoriaLogs {
	tb.Helper()
	v, err := StartVictoriaLogs(opts)
	return forTest(tb, v, err)
}

// DataDir returns the folder in which the server keeps its rows.
func (v *VictoriaLogs) DataDir() string { return filepath.Join(v.group.dir, "data") }

func (v *VictoriaLogs) start(ctx context.Context) error {
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL+"/health", nil)
	if err != nil {
		return fmt.Errorf("testenv: ask VictoriaLogs whether it is ready: %w", err)
	}
	flags := append([]string{
		"-httpListenAddr=" + v.addresses[0],
		"-storageDataPath=" + v.DataDir(),
		"-memory.allowedBytes=256MiB", // otherwise it would use most of the machine's memory
	}, v.Options.Flags...)
	return v.run(ctx, get, "started server at "+v.URL, flags...)
}

// Restart starts VictoriaLogs again after Kill, on the same port with the same data, and returns when it is ready.
func (v *VictoriaLogs) Restart(ctx context.Context) error {
	if err := v.process.mustHaveEnded(); err != nil {
		return err
	}
	return v.start(ctx)
}
