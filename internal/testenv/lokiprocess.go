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

// lokiProcess is a Loki that this process has started. It stores on the local disk and keeps a write-ahead log.
type lokiProcess struct {
	program    lokiProgram
	path       string // of the binary
	url        string
	http, grpc string // the addresses on which it listens
	group      *group
	process    *process
}

// lokiProgram is a kind of binary that can be started as Loki.
type lokiProgram struct {
	find   func() (path string, err error)
	config func(l *lokiProcess, opts LokiOptions) any
	args   func(l *lokiProcess, file string) []string
	marker string // text that it logs when it listens
}

var realLoki = lokiProgram{
	find:   lokiBinary,
	config: func(l *lokiProcess, opts LokiOptions) any { return l.config(opts) },
	args:   func(_ *lokiProcess, file string) []string { return []string{"-config.file=" + file} },
	marker: "server listening on addresses",
}

var standin = lokiProgram{
	find:   standinBinary,
	config: func(_ *lokiProcess, opts LokiOptions) any { return opts.profile().Config() },
	args: func(l *lokiProcess, file string) []string {
		return []string{"-config=" + file, "-listen=" + l.http, "-data=" + l.group.dir}
	},
	marker: "is listening on http://",
}

func startLokiProcess(opts LokiOptions, program lokiProgram) (*Loki, error) {
	path, err := program.find()
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
		l := &lokiProcess{program: program, path: path, url: "http://" + addresses[0], http: addresses[0], grpc: addresses[1], group: g}
		if err := l.start(context.Background(), opts); err != nil {
			return nil, errors.Join(err, g.close())
		}
		return &Loki{URL: l.url, Options: opts, server: l}, nil
	})
}

func (l *lokiProcess) start(ctx context.Context, opts LokiOptions) error {
	config, err := json.MarshalIndent(l.program.config(l, opts), "", "  ") // JSON is YAML too
	if err != nil {
		return fmt.Errorf("testenv: encode Loki's configuration: %w", err)
	}
	file := filepath.Join(l.group.dir, "loki.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return fmt.Errorf("testenv: write Loki's configuration: %w", err)
	}
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+"/ready", nil)
	if err != nil {
		return fmt.Errorf("testenv: ask Loki whether it is ready: %w", err)
	}
	if l.process, err = l.group.start(l.path, l.program.args(l, file)...); err != nil {
		return err
	}
	return l.process.waitReady(ctx, http.DefaultClient, get, l.program.marker)
}

func (l *lokiProcess) stop() error { return l.group.close() }

func (l *lokiProcess) kill() error {
	select {
	case <-l.process.done:
		return errors.New("testenv: kill Loki: it is not running; Restart it first")
	default:
	}
	l.process.kill()
	return nil
}

func (l *lokiProcess) restart(ctx context.Context, opts LokiOptions) error {
	select {
	case <-l.process.done:
		return l.start(ctx, opts)
	default:
		return errors.New("testenv: restart Loki: it still runs; Kill it first")
	}
}
