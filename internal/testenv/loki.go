package testenv

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/paddock-dev/audit/internal/lokitest"
)

// Environment variables that name a real Loki to use instead of the stand-in. envLokiBinary wins.
const (
	envLokiBinary = "LOKI_BIN" // a loki binary, which is started for each test
	envLokiURL    = "LOKI_URL" // the root of a running Loki with the configuration in internal/lokitest/testdata
)

// LokiOptions choose the configuration of a Loki. The zero value has one tenant, and limits that no test reaches.
type LokiOptions struct {
	// Tenants makes every request name its tenant in X-Scope-OrgID (auth_enabled). Without it there is one
	// tenant, and Query wants "".
	Tenants bool

	// ProductionLimits keeps the limits that Loki has when its operator sets none: among others 4 MB/s a tenant
	// with bursts of 6 MB, 3 MB/s a stream with bursts of 15 MB, nothing older than 7 days, newer than
	// 10 minutes from now, or over an hour behind its stream's newest entry.
	ProductionLimits bool

	// Limits are further keys of limits_config, such as {"block_ingestion_until": "2100-01-01T00:00:00Z"}. They take
	// precedence over the limits above. A change takes effect with the next Restart.
	Limits map[string]any
}

// Loki is a Loki that a test writes to: the stand-in of package lokitest as a process of its own, or the real Loki that
// LOKI_BIN or LOKI_URL names.
type Loki struct {
	// URL has no path and no slash at its end: "http://127.0.0.1:12345".
	URL string

	// Options are the options of the next Restart, at first those of the start.
	Options LokiOptions

	server server
}

// server runs a Loki.
type server interface {
	kill() error
	restart(ctx context.Context, opts LokiOptions) error
	stop() error
}

// StartLoki starts a Loki and returns when it is ready. It starts the binary that LOKI_BIN names, or a proxy to the
// running Loki that LOKI_URL names, or else the stand-in. Stop it when done; it also ends with this process.
func StartLoki(opts LokiOptions) (*Loki, error) {
	switch {
	case os.Getenv(envLokiBinary) != "":
		return startLokiProcess(opts, realLoki)
	case os.Getenv(envLokiURL) != "":
		return reachLoki(opts, os.Getenv(envLokiURL))
	default:
		return startLokiProcess(opts, standin)
	}
}

// Stop ends Loki and removes its data. A second call does nothing. A Loki that LOKI_URL names goes on running: Stop ends
// only the proxy to it.
func (l *Loki) Stop() error { return l.server.stop() }

// Kill ends Loki with SIGKILL, as a crash would, and returns when it is gone. Its data stays. A Loki that LOKI_URL
// names cannot be killed: see NeedsOwnLoki.
func (l *Loki) Kill() error { return l.server.kill() }

// Restart starts Loki again after Kill, on the same ports with the same data, and returns when it is ready and
// has read its write-ahead log.
func (l *Loki) Restart(ctx context.Context) error { return l.server.restart(ctx, l.Options) }

// NeedsOwnLoki skips a test that cannot run with a Loki named by LOKI_URL, because it kills the server, or needs options
// that hold for all tenants. make test-loki lists the skipped tests. make test skips none of them.
func NeedsOwnLoki(tb testing.TB) {
	tb.Helper()
	if os.Getenv(envLokiBinary) == "" && os.Getenv(envLokiURL) != "" {
		tb.Skip("cannot be asked through LOKI_URL: it needs a Loki process of its own; set LOKI_BIN")
	}
}

// profile returns a profile with these options, which need not be a named profile.
func (o LokiOptions) profile() lokitest.Profile {
	return lokitest.Profile{Tenants: o.Tenants, ProductionLimits: o.ProductionLimits, Limits: o.Limits}
}

// ProfileOptions returns the options of a profile.
func ProfileOptions(p lokitest.Profile) LokiOptions {
	return LokiOptions{Tenants: p.Tenants, ProductionLimits: p.ProductionLimits, Limits: p.Limits}
}

var errOverURL = errors.New("testenv: a Loki that LOKI_URL names cannot be killed or started: set LOKI_BIN, or call NeedsOwnLoki first")
