//go:build !race

package log

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	"go.uber.org/zap/zapcore"
)

// maxExtraAllocs is what a write may allocate beyond zap's core.
const maxExtraAllocs = 4

func TestAWriteAllocatesLittleMoreThanZapsCore(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ae := identified(t)
	discard := zapcore.AddSync(io.Discard)
	core := bare(discard, ae)
	count := func(write func() error) float64 {
		return testing.AllocsPerRun(1000, func() {
			if err := write(); err != nil {
				t.Fatal(err)
			}
		})
	}
	base := count(core)

	file, err := NewFile(filepath.Join(t.TempDir(), "audit.log"), FileOptions{Options: Options{Component: "proxy"}})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close(ctx)
	writer, err := NewWriter(io.Discard, Options{Component: "proxy"})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := New(zapcore.NewCore(zapcore.NewJSONEncoder(encoderConfig()), discard, zapcore.DebugLevel), Options{Component: "proxy"})
	if err != nil {
		t.Fatal(err)
	}
	unnamed := *ae
	for name, write := range map[string]func() error{
		"file": func() error { return file.Write(ctx, ae) },
		"file, new event": func() error {
			unnamed.Name, unnamed.Annotations = "", nil // as a builder leaves them
			return file.Write(ctx, &unnamed)
		},
		"writer":            func() error { return writer.Write(context.Background(), ae) },
		"writer, cancelled": func() error { return writer.Write(ctx, ae) },
		"core":              func() error { return plain.Write(context.Background(), ae) },
	} {
		got := count(write)
		t.Logf("%s: %v allocations, zap's core %v", name, got, base)
		if got-base > maxExtraAllocs {
			t.Errorf("%s: %v allocations, and zap's core %v: want at most %d more", name, got, base, maxExtraAllocs)
		}
	}
}
