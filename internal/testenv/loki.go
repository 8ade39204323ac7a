package testenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// LokiOptions choose the configuration of a Loki. The zero value is one tenant with limits that no test reaches.
type LokiOptions struct {
	// Tenants makes every request name its tenant in X-Scope-OrgID (auth_enabled). Without it there is one
	// tenant, and Query wants "".
	Tenants bool

	// ProductionLimits keeps the limits that Loki has when its operator sets none: among others 4 MB/s a tenant
	// with bursts of 6 MB, 3 MB/s a stream with bursts of 15 MB, nothing older than 7 days, newer than
	// 10 minutes from now, or over an hour behind its stream's newest entry.
	ProductionLimits bool

	// Limits are further keys of limits_config and win over the above, for example
	// {"block_ingestion_until": "2100-01-01T00:00:00Z"}. A Restart takes in what has changed here.
	Limits map[string]any
}

// Loki is a single Loki process that stores on the local disk and keeps a write-ahead log.
type Loki struct {
	// URL has no path and no slash at its end: "http://127.0.0.1:12345".
	URL string

	// Options are those it was started with.
	Options LokiOptions

	group      *group
	process    *process
	path       string // of the binary
	http, grpc string // the addresses it listens on
}

// StartLoki starts a Loki and returns when it is ready. A missing binary is built first, which takes minutes.
// Stop it when done; it also ends with this process.
func StartLoki(opts LokiOptions) (*Loki, error) {
	path, err := lokiBinary()
	if err != nil {
		return nil, err
	}
	return onFreePorts(func() (*Loki, error) {
		addresses, err := freeAddresses(2)
		if err != nil {
			return nil, err
		}
		g, err := newGroup("loki")
		if err != nil {
			return nil, err
		}
		l := &Loki{URL: "http://" + addresses[0], Options: opts, group: g, path: path, http: addresses[0], grpc: addresses[1]}
		if err := l.start(context.Background()); err != nil {
			return nil, errors.Join(err, g.close())
		}
		return l, nil
	})
}

func (l *Loki) start(ctx context.Context) error {
	config, err := json.MarshalIndent(l.config(), "", "  ") // JSON is YAML too
	if err != nil {
		return fmt.Errorf("testenv: encode Loki's configuration: %w", err)
	}
	file := filepath.Join(l.group.dir, "loki.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return fmt.Errorf("testenv: write Loki's configuration: %w", err)
	}
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, l.URL+"/ready", nil)
	if err != nil {
		return fmt.Errorf("testenv: ask Loki whether it is ready: %w", err)
	}
	if l.process, err = l.group.start(l.path, "-config.file="+file); err != nil {
		return err
	}
	return l.process.waitReady(ctx, http.DefaultClient, get, "server listening on addresses")
}

// Stop kills Loki and removes its data. A second call does nothing.
func (l *Loki) Stop() error { return l.group.close() }

// Kill ends Loki with SIGKILL, as a crash would, and returns when it is gone. Its data stays.
func (l *Loki) Kill() error {
	select {
	case <-l.process.done:
		return errors.New("testenv: kill Loki: it is not running; Restart it first")
	default:
	}
	l.process.kill()
	return nil
}

// Restart starts Loki again after Kill, on the same ports with the same data, and returns when it is ready and
// has read its write-ahead log.
func (l *Loki) Restart(ctx context.Context) error {
	select {
	case <-l.process.done:
		return l.start(ctx)
	default:
		return errors.New("testenv: restart Loki: it still runs; Kill it first")
	}
}
