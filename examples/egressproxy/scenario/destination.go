package scenario

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/examples/egressproxy/proxy"
	auditlog "github.com/paddock-dev/audit/sinks/log"
)

// Destination is where the proxy of a scenario records its decisions.
type Destination struct {
	Sink      auditing.Sink
	Title     string
	Namespace string
	// Read returns what the destination holds.
	Read func(ctx context.Context) ([]v1alpha1.AuditEvent, error)
	// Break makes every further write fail. Fault says how.
	Break func(ctx context.Context) error
	Fault string
	// Stop ends the destination. It is called once, after Break or without it.
	Stop func() error
}

// LogFile returns a log file in a folder of its own, which Stop removes.
func LogFile() (*Destination, error) {
	dir, err := os.MkdirTemp("", "egressproxy-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "audit.log")
	sink, err := auditlog.NewFile(path, auditlog.FileOptions{Options: auditlog.Options{Component: proxy.Component}, Fsync: true})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Destination{
		Sink:      sink,
		Title:     "log file",
		Namespace: "team-a",
		Read:      func(context.Context) ([]v1alpha1.AuditEvent, error) { return ReadLog(path) },
		Break:     sink.Close,
		Fault:     "its log was closed",
		Stop: func() error {
			return errors.Join(sink.Close(context.Background()), os.RemoveAll(dir))
		},
	}, nil
}

// ReadLog returns the events of a log file. A line is the event in JSON, with
// keys of zap's beside its own.
func ReadLog(path string) ([]v1alpha1.AuditEvent, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	var events []v1alpha1.AuditEvent
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var ae v1alpha1.AuditEvent
		if err := json.Unmarshal(lines.Bytes(), &ae); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		events = append(events, ae)
	}
	return events, lines.Err()
}
