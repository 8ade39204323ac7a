package testenv

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// lokiProcess is a Loki that this process has started. It stores on the local disk and keeps a write-ahead log.
type lokiProcess struct {
	single

	program    lokiProgram
	url        string
	http, grpc string // its addresses
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
	return startSingle("loki", path, 2, func(one single) (*Loki, error) {
		l := &lokiProcess{single: one, program: program, url: "http://" + one.addresses[0], http: one.addresses[0], grpc: one.addresses[1]}
		return &Loki{URL: l.url, Options: opts, server: l}, l.start(context.Background(), opts)
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
	return l.run(ctx, get, l.program.marker, l.program.args(l, file)...)
}

func (l *lokiProcess) stop() error { return l.Stop() }

func (l *lokiProcess) kill() error { return l.Kill() }

func (l *lokiProcess) restart(ctx context.Context, opts LokiOptions) error {
	if err := l.process.mustHaveEnded(); err != nil {
		return err
	}
	return l.start(ctx, opts)
}
