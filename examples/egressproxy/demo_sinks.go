package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
	auditlog "github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/loki"
)

// demoDestination is a destination that the demo owns.
type demoDestination struct {
	sink      auditing.Sink
	title     string
	namespace string
	// read returns what the destination holds.
	read func(ctx context.Context) ([]v1alpha1.AuditEvent, error)
	// breakIt makes every further write fail; fault says how.
	breakIt func(ctx context.Context) error
	fault   string
	stop    func() error
}

var demoDestinations = map[string]func(context.Context) (*demoDestination, error){
	"log":  logDestination,
	"kube": kubeDestination,
	"loki": lokiDestination,
}

func logDestination(context.Context) (*demoDestination, error) {
	dir, err := os.MkdirTemp("", "egressproxy-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "audit.log")
	sink, err := auditlog.NewFile(path, auditlog.FileOptions{Options: auditlog.Options{Component: component}, Fsync: true})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &demoDestination{
		sink:      sink,
		title:     "log file",
		namespace: "team-a",
		read:      func(context.Context) ([]v1alpha1.AuditEvent, error) { return readLines(path) },
		breakIt:   sink.Close,
		fault:     "its log was closed",
		stop: func() error {
			return errors.Join(sink.Close(context.Background()), os.RemoveAll(dir))
		},
	}, nil
}

// readLines reads a log file. A line is the event in JSON, with keys of zap's
// beside its own.
func readLines(path string) ([]v1alpha1.AuditEvent, error) {
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

func kubeDestination(context.Context) (*demoDestination, error) {
	server, err := testenv.StartKube()
	if err != nil {
		return nil, err
	}
	c, err := kubeClient(server.Config)
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	const namespace = "default"
	return &demoDestination{
		sink:      kube.Sink{Client: c, Component: component},
		title:     "API server",
		namespace: namespace,
		read: func(ctx context.Context) ([]v1alpha1.AuditEvent, error) {
			var events v1alpha1.AuditEventList
			err := c.List(ctx, &events, client.InNamespace(namespace))
			return events.Items, err
		},
		breakIt: func(context.Context) error { return server.KillAPIServer() },
		fault:   "the API server was killed",
		stop:    server.Stop,
	}, nil
}

// lokiDestination is a VictoriaLogs, which takes Loki's pushes and is under Apache-2.0, as Loki's server is not.
func lokiDestination(context.Context) (*demoDestination, error) {
	server, err := testenv.StartVictoriaLogs(testenv.VictoriaLogsOptions{})
	if err != nil {
		return nil, err
	}
	sink, err := loki.New(server.URL, loki.Options{Server: loki.ServerVictoriaLogs, Component: component})
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	start := time.Now()
	return &demoDestination{
		sink:      sink,
		title:     "VictoriaLogs server",
		namespace: "team-a",
		read: func(ctx context.Context) ([]v1alpha1.AuditEvent, error) {
			rows, err := server.Query(ctx, "", `{service_name="audit", component="proxy"}`, start, time.Now())
			if err != nil {
				return nil, err
			}
			events := make([]v1alpha1.AuditEvent, len(rows))
			for i, row := range rows {
				if err := json.Unmarshal([]byte(row.Line), &events[i]); err != nil {
					return nil, fmt.Errorf("reading a line of VictoriaLogs': %w", err)
				}
			}
			return events, nil
		},
		breakIt: func(context.Context) error { return server.Kill() },
		fault:   "VictoriaLogs was killed",
		stop: func() error {
			return errors.Join(sink.Close(context.Background()), server.Stop())
		},
	}, nil
}
