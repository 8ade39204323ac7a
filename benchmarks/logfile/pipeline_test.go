package logfile_test

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/hashicorp/eventlogger"
	"k8s.io/apiserver/pkg/audit"

	"github.com/paddock-dev/audit/benchmarks/internal/apiaudit"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
)

var errRefused = errors.New("the backend refused the event")

// openAPIServer writes with the Kubernetes API server's own log backend in its mode "blocking".
func openAPIServer(path string, event bench.Event) (bench.Writer, error) {
	f, err := create(path)
	if err != nil {
		return bench.Writer{}, err
	}
	return backendWriter(apiaudit.Log(f), event, f.Close)
}

// openAPIServerBuffered has the same backend in its mode "batch", with the API server's defaults: a buffer of 10,000
// events, beyond which they are dropped. What it answers is true either way.
func openAPIServerBuffered(path string, event bench.Event) (bench.Writer, error) {
	f, err := create(path)
	if err != nil {
		return bench.Writer{}, err
	}
	apiaudit.Silence()
	backend := apiaudit.Buffered(apiaudit.Log(f))
	stop := make(chan struct{})
	if err := backend.Run(stop); err != nil {
		return bench.Writer{}, err
	}
	return backendWriter(backend, event, func() error {
		close(stop)
		backend.Shutdown()
		return f.Close()
	})
}

func backendWriter(backend audit.Backend, event bench.Event, finish func() error) (bench.Writer, error) {
	ev, err := apiaudit.Event(event.New())
	return bench.Writer{
		Write: func(int) error {
			if !backend.ProcessEvents(ev) {
				return errRefused
			}
			return nil
		},
		Finish: finish,
	}, err
}

// openEventlogger sends through a broker with a JSON formatter and a file sink, which Vault and Boundary are built on.
func openEventlogger(path string, event bench.Event) (bench.Writer, error) {
	sink := &eventlogger.FileSink{Path: filepath.Dir(path), FileName: filepath.Base(path)}
	broker, err := eventlogger.NewBroker()
	if err != nil {
		return bench.Writer{}, err
	}
	err = errors.Join(
		broker.RegisterNode("json", &eventlogger.JSONFormatter{}),
		broker.RegisterNode("file", sink),
		broker.RegisterPipeline(eventlogger.Pipeline{
			PipelineID: "audit", EventType: "audit", NodeIDs: []eventlogger.NodeID{"json", "file"},
		}),
		broker.SetSuccessThresholdSinks("audit", 1),
	)
	ctx, ae := context.Background(), event.New()
	return bench.Writer{Write: func(int) error {
		_, err := broker.Send(ctx, "audit", ae)
		return err
	}}, err
}
