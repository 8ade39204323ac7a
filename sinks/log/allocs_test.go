//go:build !race

package log

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	"go.uber.org/zap/zapcore"
)

func TestWriteAllocatesNoMoreThanStated(t *testing.T) {
	background := context.Background()
	cancellable, cancel := context.WithCancel(background)
	defer cancel()
	opts := Options{Component: "proxy"}
	must := func(s *Sink, err error) *Sink {
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	file := must(NewFile(filepath.Join(t.TempDir(), "audit.log"), FileOptions{Options: opts}))
	defer file.Close(background)
	writer := must(NewWriter(io.Discard, opts))
	core := must(New(zapcore.NewCore(zapcore.NewJSONEncoder(encoderConfig()), zapcore.AddSync(io.Discard), zapcore.DebugLevel), opts))
	ae := identified(t)
	unnamed := *ae
	to := func(ctx context.Context, s *Sink) func() error {
		return func() error { return s.Write(ctx, ae) }
	}
	for _, test := range []struct {
		name  string
		most  float64
		write func() error
	}{
		// The event that all destinations share, and its maps.
		{"file", 2, to(cancellable, file)},
		// Name and time in one text, and two for the map of annotations.
		{"file, new event", 2 + 3, func() error {
			unnamed.Name, unnamed.Annotations = "", nil // as a builder leaves them
			return file.Write(cancellable, &unnamed)
		}},
		{"writer", 2, to(background, writer)},
		// A goroutine, and two for its answer.
		{"writer, cancellable", 2 + 3, to(cancellable, writer)},
		// The fields, which the core may keep, and what encoding/json makes of two.
		{"core", 2 + 10, to(background, core)},
		{"core, cancellable", 2 + 10 + 3, to(cancellable, core)},
	} {
		got := testing.AllocsPerRun(1000, func() {
			if err := test.write(); err != nil {
				t.Fatal(err)
			}
		})
		if got > test.most {
			t.Errorf("%s: %v allocations, want at most %v", test.name, got, test.most)
		}
	}
}
