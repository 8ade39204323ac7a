package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/examples/egressproxy/proxy"
)

const (
	composeCluster = "compose"
	keyFile        = proxy.Component + ".key"
)

// makeKey leaves a long-term key in the folder that the options name, and the trust.yaml that names its public half,
// unless the key is there. It is for a demonstration that has to start by itself: elsewhere
// auditctl keys new makes the key, and the trust.yaml goes to the auditor alone.
func makeKey(_ context.Context, o options) error {
	path := filepath.Join(o.key, keyFile)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	private, public, err := note.GenerateKey(rand.Reader, composeCluster+"/"+proxy.Component)
	if err != nil {
		return err
	}
	trust := trustText(composeCluster, public, time.Now())
	if err := os.WriteFile(filepath.Join(o.key, trustFile), []byte(trust), 0o644); err != nil { //nolint:gosec // nothing in it is secret
		return err
	}
	if err := os.WriteFile(path, []byte(private+"\n"), 0o600); err != nil {
		return errors.Join(fmt.Errorf("storing the key: %w", err), os.Remove(path)) // which may hold a part of it
	}
	return nil
}
