package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/examples/egressproxy/proxy"
	"github.com/paddock-dev/audit/examples/egressproxy/scenario"
	auditlog "github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/seal"
)

const (
	demoCluster = "demo"
	logFile     = "audit.log"
	trustFile   = "trust.yaml"
)

// provenDestination is a log in dir whose events are sealed. Beside it stands the trust.yaml
// with which auditctl verify proves it. The long-term key is forgotten with the process: a
// component has its own in a file, from auditctl keys new.
func provenDestination(dir string) (*scenario.Destination, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path, trust := filepath.Join(dir, logFile), filepath.Join(dir, trustFile)
	for _, taken := range []string{path, trust} {
		if _, err := os.Lstat(taken); err == nil {
			return nil, fmt.Errorf("%s exists, and another trail behind it would be under another key: name an empty folder", taken)
		}
	}
	private, public, err := note.GenerateKey(rand.Reader, demoCluster+"/"+proxy.Component)
	if err != nil {
		return nil, err
	}
	authority, err := seal.LongTermKey(private)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(trust, []byte(trustText(demoCluster, public, time.Now())), 0o600); err != nil {
		return nil, err
	}
	file, err := auditlog.NewFile(path, auditlog.FileOptions{Options: auditlog.Options{Component: proxy.Component}, Fsync: true})
	if err != nil {
		return nil, err
	}
	sealed, err := seal.New(file, seal.Options{Cluster: demoCluster, Authority: authority})
	if err != nil {
		return nil, errors.Join(err, file.Close(context.Background()))
	}
	return &scenario.Destination{
		Sink: sealed, Title: "log file", Namespace: "team-a",
		Read:  func(context.Context) ([]v1alpha1.AuditEvent, error) { return readDecisions(path) },
		Break: sealed.Close,
		Fault: "its log was closed",
		Stop:  func() error { return sealed.Close(context.Background()) },
	}, nil
}

// readDecisions reads a log file without the checkpoints of its trail.
func readDecisions(path string) ([]v1alpha1.AuditEvent, error) {
	events, err := scenario.ReadLog(path)
	return slices.DeleteFunc(events, func(ae v1alpha1.AuditEvent) bool { return ae.Spec.Destination == nil }), err
}

// trustText is what the auditor gets another way than the events.
func trustText(cluster, public string, since time.Time) string {
	return fmt.Sprintf(`keys:
  - {name: %[1]s/%[2]s, key: %[3]q, cluster: %[1]s, components: [%[2]s]}
components:
  - {name: %[2]s, cluster: %[1]s, sealedSince: %[4]s}
`, cluster, proxy.Component, public, since.UTC().Format(time.RFC3339))
}
