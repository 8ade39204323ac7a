// Package logfile_test compares ways to write an event as a line of a log file.
package logfile_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/sinks/log"
)

// fileName is that of every peer's file, each in a folder of its own.
const fileName = "audit.log"

func BenchmarkLogFile(b *testing.B) {
	for _, event := range bench.Events() {
		bench.Compare(b, fmt.Sprintf("event=%s/", event.Name), 1, peers(event))
	}
}

func peers(event bench.Event) []bench.Peer {
	peer := func(name string, open func(path string, event bench.Event) (bench.Writer, error)) bench.Peer {
		return bench.Peer{Name: name, Open: func(b *testing.B, _ int) bench.Writer {
			path := filepath.Join(bench.Dir(b), fileName)
			w, err := open(path, event)
			if err != nil {
				b.Fatal(err)
			}
			w.Stored = func() (int, error) { return bench.Lines(path) }
			return w
		}}
	}
	return []bench.Peer{
		peer("ours", openOurs),
		peer("ours-named", openOursNamed),
		peer("ours-on-core", openOursOnCore),
		peer("zap-core", openZapCore),
		peer("zap-fields", openZapFields),
		peer("zap-reflect", openZapReflect),
		peer("slog", openSlog),
		peer("zerolog", openZerolog),
		peer("apiserver", openAPIServer),
		peer("apiserver-buffered", openAPIServerBuffered),
		peer("eventlogger", openEventlogger),
	}
}

// request is the context that a component writes with: one that can end.
func request() (ctx context.Context, end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	return ctx, func() error { cancel(); return nil }
}

// fileOptions do not rotate: no peer does.
var fileOptions = log.FileOptions{Options: log.Options{Component: bench.Component}, MaxSizeMB: 1 << 20}

// openOurs writes a new event each time: it is validated, named, labelled and written.
func openOurs(path string, event bench.Event) (bench.Writer, error) {
	sink, err := log.NewFile(path, fileOptions)
	if err != nil {
		return bench.Writer{}, err
	}
	ctx, end := request()
	ae := event.New()
	return bench.Writer{
		Write:  func(int) error { bench.Renew(ae); return sink.Write(ctx, ae) },
		Finish: func() error { return sink.Close(ctx) },
		Close:  end,
	}, nil
}

// openOursNamed writes an event that has its name already, as a second sink or attempt does.
func openOursNamed(path string, event bench.Event) (bench.Writer, error) {
	sink, err := log.NewFile(path, fileOptions)
	if err != nil {
		return bench.Writer{}, err
	}
	ctx, end := request()
	ae, err := bench.Named(event)
	return bench.Writer{
		Write:  func(int) error { return sink.Write(ctx, ae) },
		Finish: func() error { return sink.Close(ctx) },
		Close:  end,
	}, err
}

// openOursOnCore writes a new event each time through the program's own core.
func openOursOnCore(path string, event bench.Event) (bench.Writer, error) {
	f, err := create(path)
	if err != nil {
		return bench.Writer{}, err
	}
	sink, err := log.New(zapcore.NewCore(encoder(), zapcore.Lock(f), zapcore.DebugLevel), fileOptions.Options)
	if err != nil {
		return bench.Writer{}, err
	}
	ctx, end := request()
	ae := event.New()
	return bench.Writer{
		Write:  func(int) error { bench.Renew(ae); return sink.Write(ctx, ae) },
		Finish: f.Close,
		Close:  end,
	}, nil
}
