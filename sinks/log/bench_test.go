package log

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
)

// bare is what zap itself takes for the same line: its core, given the entry and
// the fields ready made.
func bare(tb testing.TB, out zapcore.WriteSyncer, ae *v1alpha1.AuditEvent) func() error {
	tb.Helper()
	core := zapcore.NewCore(zapcore.NewJSONEncoder(encoderConfig()), zapcore.Lock(out), zapcore.DebugLevel)
	l := newLine(&coreOutput{logger: defaultLogger}, prepared(tb, ae))
	fields := l.fields()
	return func() error { return core.Write(l.entry, fields) }
}

// identified returns an event that has its name, as at a second sink or attempt.
func identified(tb testing.TB) *v1alpha1.AuditEvent {
	tb.Helper()
	ae := newEvent("")
	sink, err := NewWriter(io.Discard, Options{Component: "proxy"})
	if err == nil {
		err = sink.Write(context.Background(), ae)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return ae
}

func BenchmarkWrite(b *testing.B) {
	open := func(b *testing.B, name string) *os.File {
		f, err := os.Create(filepath.Join(b.TempDir(), name))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = f.Close() })
		return f
	}
	run := func(name string, write func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := write(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	must := func(s *Sink, err error) *Sink {
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	background := context.Background()
	cancellable, cancel := context.WithCancel(background)
	defer cancel()
	ae := identified(b)
	to := func(ctx context.Context, s *Sink) func() error {
		return func() error { return s.Write(ctx, ae) }
	}
	encoder := zapcore.NewJSONEncoder(encoderConfig())

	discard := zapcore.AddSync(io.Discard)
	run("memory/zap-core", bare(b, discard, ae))
	run("memory/sink", to(background, must(NewWriter(io.Discard, Options{Component: "proxy"}))))
	run("memory/sink-detached", to(cancellable, must(NewWriter(io.Discard, Options{Component: "proxy"}))))
	run("memory/sink-on-core", to(background, must(New(zapcore.NewCore(encoder, discard, zapcore.DebugLevel), Options{Component: "proxy"}))))
	run("memory/sink-on-core-detached", to(cancellable, must(New(zapcore.NewCore(encoder, discard, zapcore.DebugLevel), Options{Component: "proxy"}))))

	run("file/zap-core", bare(b, open(b, "bare.log"), ae))
	run("file/sink", to(cancellable, must(NewFile(filepath.Join(b.TempDir(), "audit.log"), FileOptions{Options: Options{Component: "proxy"}, MaxSizeMB: 1 << 20}))))
	fresh := must(NewFile(filepath.Join(b.TempDir(), "audit.log"), FileOptions{Options: Options{Component: "proxy"}, MaxSizeMB: 1 << 20}))
	unnamed := *ae
	run("file/sink-names-event", func() error {
		unnamed.Name, unnamed.Annotations = "", nil // as a builder leaves them
		return fresh.Write(cancellable, &unnamed)
	})
	run("file/sink-fsync", to(cancellable, must(NewFile(filepath.Join(b.TempDir(), "audit.log"), FileOptions{Fsync: true, MaxSizeMB: 1 << 20}))))
}

// BenchmarkBatch stores what a stage with a backlog hands on.
func BenchmarkBatch(b *testing.B) {
	for name, opts := range map[string]FileOptions{
		"file":  {MaxSizeMB: 1 << 20},
		"fsync": {MaxSizeMB: 1 << 20, Fsync: true},
	} {
		b.Run(name, func(b *testing.B) {
			sink, err := NewFile(filepath.Join(b.TempDir(), "audit.log"), opts)
			if err != nil {
				b.Fatal(err)
			}
			next, events := driver.Of(sink), batchOf(b, batch)
			for b.Loop() {
				if errs := next.Store(context.Background(), events); errs != nil {
					b.Fatal(errs)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/event")
		})
	}
}
