package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/examples/egressproxy/proxy"
	"github.com/paddock-dev/audit/examples/egressproxy/scenario"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/loki"
)

// demoDestinations start each destination for a demo.
var demoDestinations = map[string]func() (*scenario.Destination, error){
	"log":  scenario.LogFile,
	"kube": kubeDestination,
	"loki": lokiDestination,
}

// demo runs the scenario with the destination that the options name.
func demo(ctx context.Context, out io.Writer, o options) error {
	dest, err := openDemo(o)
	if err != nil {
		return err
	}
	if err := scenario.Run(ctx, out, dest); err != nil {
		return err
	}
	if o.proof != "" {
		fmt.Fprintf(out, "\nThe trail is sealed. What proves it:\n\n  auditctl verify --trust %s %s\n",
			filepath.Join(o.proof, trustFile), filepath.Join(o.proof, logFile))
	}
	return nil
}

func openDemo(o options) (*scenario.Destination, error) {
	open, ok := demoDestinations[o.sink]
	switch {
	case !ok:
		return nil, fmt.Errorf("unknown sink %q: one of %s", o.sink, strings.Join(sinkNames(), ", "))
	case o.proof == "":
		return open()
	case o.sink != "log":
		return nil, errors.New("-proof leaves a log file: leave out -sink, or say -sink log")
	}
	return provenDestination(o.proof)
}

func kubeDestination() (*scenario.Destination, error) {
	server, err := testenv.StartKube()
	if err != nil {
		return nil, err
	}
	c, err := kubeClient(server.Config)
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	const namespace = "default"
	return &scenario.Destination{
		Sink:      kube.Sink{Client: c, Component: proxy.Component},
		Title:     "API server",
		Namespace: namespace,
		Read: func(ctx context.Context) ([]v1alpha1.AuditEvent, error) {
			var events v1alpha1.AuditEventList
			err := c.List(ctx, &events, client.InNamespace(namespace))
			return events.Items, err
		},
		Break: func(context.Context) error { return server.KillAPIServer() },
		Fault: "the API server was killed",
		Stop:  server.Stop,
	}, nil
}

// lokiDestination is a VictoriaLogs, which takes Loki's pushes and is under Apache-2.0, as Loki's server is not.
func lokiDestination() (*scenario.Destination, error) {
	server, err := testenv.StartVictoriaLogs(testenv.VictoriaLogsOptions{})
	if err != nil {
		return nil, err
	}
	sink, err := loki.New(server.URL, loki.Options{Server: loki.ServerVictoriaLogs, Component: proxy.Component})
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	start := time.Now()
	return &scenario.Destination{
		Sink:      sink,
		Title:     "VictoriaLogs server",
		Namespace: "team-a",
		Read: func(ctx context.Context) ([]v1alpha1.AuditEvent, error) {
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
		Break: func(context.Context) error { return server.Kill() },
		Fault: "VictoriaLogs was killed",
		Stop: func() error {
			return errors.Join(sink.Close(context.Background()), server.Stop())
		},
	}, nil
}
