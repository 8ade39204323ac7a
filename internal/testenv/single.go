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

// single is a server of one process, in a group of its own.
type single struct {
	group     *group
	process   *process
	path      string   // of the binary
	addresses []string // on which it listens
}

// startSingle starts a server that listens on some free addresses. start runs its binary.
func startSingle[T any](name, path string, addresses int, start func(s single) (T, error)) (T, error) {
	return onFreePorts(func() (none T, err error) {
		free, err := freeAddresses(addresses)
		if err != nil {
			return none, err
		}
		g, err := newGroup(name)
		if err != nil {
			return none, err
		}
		t, err := start(single{group: g, path: path, addresses: free})
		if err != nil {
			return none, errors.Join(err, g.close())
		}
		return t, nil
	})
}

// run starts the process, and returns when it answers get and has logged marker.
func (s *single) run(ctx context.Context, get *http.Request, marker string, args ...string) (err error) {
	if s.process, err = s.group.start(s.path, args...); err != nil {
		return err
	}
	return s.process.waitReady(ctx, http.DefaultClient, get, marker)
}

// Stop kills the server and removes its data. A second call does nothing.
func (s *single) Stop() error { return s.group.close() }

// Kill ends the server with SIGKILL, as a crash would, and returns when it is gone. What had reached its disk stays.
func (s *single) Kill() error { return s.process.killRunning() }

// binary returns the path that an environment variable names, or else that of a binary that make tools builds when it is
// missing.
func binary(variable, name string) (string, error) {
	if path := os.Getenv(variable); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("testenv: %s must name the %s binary: %w", variable, name, err)
		}
		return path, nil
	}
	dir, err := built(name)
	return filepath.Join(dir, name), err
}

// forTest returns a server that was started for one test, and stops it when the test ends.
func forTest[T interface{ Stop() error }](tb testing.TB, server T, err error) T {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := server.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return server
}
