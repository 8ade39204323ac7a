// Package fanout_test compares ways to write one event to three destinations.
package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/eventlogger"
	slogmulti "github.com/samber/slog-multi"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/benchmarks/internal/apiaudit"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/multi"
)

const children = 3

func BenchmarkFanout(b *testing.B) {
	for _, event := range bench.Events() {
		for _, to := range []string{"nothing", "files"} {
			bench.Compare(b, fmt.Sprintf("to=%s/event=%s/", to, event.Name), 1, peers(event, to == "files"))
		}
	}
}

// target is where one measurement writes: files in a folder, or nowhere when dir is "".
type target struct {
	event bench.Event
	dir   string
}

func (to target) path(child int) string { return filepath.Join(to.dir, fmt.Sprintf("%d.log", child)) }

// stored is what the child with the least has.
func (to target) stored() (int, error) {
	least := 0
	for i := range children {
		n, err := bench.Lines(to.path(i))
		if err != nil {
			return 0, err
		}
		if i == 0 || n < least {
			least = n
		}
	}
	return least, nil
}

func peers(event bench.Event, files bool) []bench.Peer {
	peer := func(name string, open func(ctx context.Context, to target) (bench.Writer, error)) bench.Peer {
		return bench.Peer{Name: name, Open: func(b *testing.B, _ int) bench.Writer {
			to := target{event: event}
			if files {
				to.dir = bench.Dir(b)
			}
			ctx, cancel := context.WithCancel(b.Context())
			w, err := open(ctx, to)
			if err != nil {
				b.Fatal(err)
			}
			if files {
				w.Stored = to.stored
			}
			w.Close = func() error { cancel(); return nil }
			return w
		}}
	}
	return []bench.Peer{
		peer("ours", openOurs), peer("one-child", openOne), peer("eventlogger", openEventlogger),
		peer("slog-multi", openSlogMulti), peer("apiserver", openUnion),
	}
}

func (to target) sink(child int) (auditing.Sink, error) {
	if to.dir == "" {
		return auditing.NoopSink{}, nil
	}
	return log.NewFile(to.path(child), log.FileOptions{MaxSizeMB: 1 << 20})
}

// openOurs writes to all three at once, each from a goroutine, and waits for all.
func openOurs(ctx context.Context, to target) (bench.Writer, error) {
	var into []multi.Child
	for i := range children {
		sink, err := to.sink(i)
		if err != nil {
			return bench.Writer{}, err
		}
		into = append(into, multi.Child{Name: fmt.Sprint(i), Sink: sink})
	}
	sink, err := multi.New(into, multi.Options{Component: bench.Component})
	ae := to.event.New()
	return bench.Writer{
		Write:  func(int) error { bench.Renew(ae); return sink.Write(ctx, ae) },
		Finish: func() error { return sink.Close(ctx) },
	}, err
}

// openOne is one of the three children alone: what the fan-out is to add little to.
func openOne(ctx context.Context, to target) (bench.Writer, error) {
	one, err := to.sink(0)
	if err != nil {
		return bench.Writer{}, err
	}
	for i := 1; i < children && to.dir != ""; i++ { // so that counting finds what it counts
		if err := os.Link(to.path(0), to.path(i)); err != nil {
			return bench.Writer{}, err
		}
	}
	ae := to.event.New()
	return bench.Writer{
		Write:  func(int) error { bench.Renew(ae); return one.Write(ctx, ae) },
		Finish: func() error { return auditing.Close(ctx, one) },
	}, nil
}

// nowhere ends a pipeline.
type nowhere struct{}

func (nowhere) Process(context.Context, *eventlogger.Event) (*eventlogger.Event, error) {
	return nil, nil
}
func (nowhere) Reopen() error              { return nil }
func (nowhere) Type() eventlogger.NodeType { return eventlogger.NodeTypeSink }

// openEventlogger sends through three pipelines, which the broker runs at once; each has its own formatter, as it is
// with one for files.
func openEventlogger(ctx context.Context, to target) (bench.Writer, error) {
	broker, err := eventlogger.NewBroker()
	if err != nil {
		return bench.Writer{}, err
	}
	for i := range children {
		var nodes []eventlogger.NodeID
		var end eventlogger.Node = nowhere{}
		if to.dir != "" {
			end = &eventlogger.FileSink{Path: to.dir, FileName: filepath.Base(to.path(i))}
			id := eventlogger.NodeID(fmt.Sprintf("json%d", i))
			nodes = append(nodes, id)
			err = errors.Join(err, broker.RegisterNode(id, &eventlogger.JSONFormatter{}))
		} else {
			id := eventlogger.NodeID(fmt.Sprintf("pass%d", i))
			nodes = append(nodes, id) // a pipeline without a formatter is refused
			err = errors.Join(err, broker.RegisterNode(id, pass{}))
		}
		id := eventlogger.NodeID(fmt.Sprintf("end%d", i))
		err = errors.Join(err, broker.RegisterNode(id, end), broker.RegisterPipeline(eventlogger.Pipeline{
			PipelineID: eventlogger.PipelineID(id), EventType: "audit", NodeIDs: append(nodes, id),
		}))
	}
	err = errors.Join(err, broker.SetSuccessThresholdSinks("audit", children))
	ae := to.event.New()
	return bench.Writer{Write: func(int) error {
		_, err := broker.Send(ctx, "audit", ae)
		return err
	}}, err
}

// pass is a formatter that does nothing.
type pass struct{}

func (pass) Process(_ context.Context, e *eventlogger.Event) (*eventlogger.Event, error) {
	return e, nil
}
func (pass) Reopen() error              { return nil }
func (pass) Type() eventlogger.NodeType { return eventlogger.NodeTypeFormatter }

// openSlogMulti hands a record to three handlers, one after the other.
func openSlogMulti(ctx context.Context, to target) (bench.Writer, error) {
	var handlers []slog.Handler
	var files []*os.File
	for i := range children {
		if to.dir == "" {
			handlers = append(handlers, taking{})
			continue
		}
		f, err := os.Create(to.path(i))
		if err != nil {
			return bench.Writer{}, err
		}
		files = append(files, f)
		handlers = append(handlers, slog.NewJSONHandler(f, nil))
	}
	logger, ae := slog.New(slogmulti.Fanout(handlers...)), to.event.New()
	return bench.Writer{
		Write: func(int) error {
			logger.LogAttrs(ctx, slog.LevelInfo, string(ae.Spec.Kind), bench.Attributes(ae)...)
			return nil
		},
		Finish: func() error { return closeAll(files) },
	}, nil
}

// taking takes every record, unlike slog.DiscardHandler, which a fan-out passes over.
type taking struct{}

func (taking) Enabled(context.Context, slog.Level) bool  { return true }
func (taking) Handle(context.Context, slog.Record) error { return nil }
func (taking) WithAttrs([]slog.Attr) slog.Handler        { return taking{} }
func (taking) WithGroup(string) slog.Handler             { return taking{} }

func closeAll(files []*os.File) (err error) {
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

var errRefused = errors.New("a backend refused the event")

// openUnion is the API server's union, which calls its backends one after the other.
func openUnion(_ context.Context, to target) (bench.Writer, error) {
	var backends []audit.Backend
	var files []*os.File
	for i := range children {
		if to.dir == "" {
			backends = append(backends, noBackend{})
			continue
		}
		f, err := os.Create(to.path(i))
		if err != nil {
			return bench.Writer{}, err
		}
		files = append(files, f)
		backends = append(backends, apiaudit.Log(f))
	}
	union := audit.Union(backends...)
	ev, err := apiaudit.Event(to.event.New())
	return bench.Writer{
		Write: func(int) error {
			if !union.ProcessEvents(ev) {
				return errRefused
			}
			return nil
		},
		Finish: func() error { return closeAll(files) },
	}, err
}

type noBackend struct{}

func (noBackend) ProcessEvents(...*auditinternal.Event) bool { return true }
func (noBackend) Run(<-chan struct{}) error                  { return nil }
func (noBackend) Shutdown()                                  {}
func (noBackend) String() string                             { return "nothing" }
