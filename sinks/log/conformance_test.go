package log

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

func TestConformance(t *testing.T) {
	for name, newHarness := range map[string]func(t *testing.T) sinktest.Harness{
		"file":   func(t *testing.T) sinktest.Harness { return fileHarness(t, FileOptions{}) },
		"fsync":  func(t *testing.T) sinktest.Harness { return fileHarness(t, FileOptions{Fsync: true}) },
		"writer": func(*testing.T) sinktest.Harness { return writerHarness(newWriterSubject) },
		"core":   func(*testing.T) sinktest.Harness { return writerHarness(newCoreSubject) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, newHarness(t))
		})
	}
}

func fileHarness(t *testing.T, opts FileOptions) sinktest.Harness {
	t.Helper()
	return sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			dir, err := os.MkdirTemp(t.TempDir(), "")
			if err != nil {
				return sinktest.Subject{}, err
			}
			path := filepath.Join(dir, "audit.log")
			sink, err := NewFile(path, opts)
			return sinktest.Subject{
				Sink: sink,
				Again: func(ctx context.Context) (auditing.Sink, error) {
					// The file is locked until the process that has it open has ended.
					if err := sink.Close(ctx); err != nil {
						return nil, err
					}
					return NewFile(path, opts)
				},
				Stored: func(context.Context) ([]v1alpha1.AuditEvent, error) {
					text, err := readAll(path)
					if err != nil {
						return nil, err
					}
					return parse(text)
				},
			}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			if opts.Fsync {
				out := &lineWriter{to: new(bytes.Buffer), mayBlock: true, sync: func() error { return syscall.EIO }}
				return sinktest.Fault{
					Sink:   newLineSink("file", out, opts.Options),
					Caused: func(err error) bool { return errors.Is(err, syscall.EIO) },
				}, nil
			}
			sink, err := NewFile("/dev/full", opts)
			return sinktest.Fault{
				Sink:   sink,
				Caused: func(err error) bool { return errors.Is(err, syscall.ENOSPC) },
			}, err
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			if opts.Fsync {
				release := make(chan struct{})
				out := &lineWriter{to: new(bytes.Buffer), mayBlock: true, sync: func() error { <-release; return nil }}
				return sinktest.Fault{
					Sink:    newLineSink("file", out, opts.Options),
					Release: sync.OnceFunc(func() { close(release) }),
				}, nil
			}
			return fullPipe(t)
		},
	}
}

// fullPipe returns a sink on a named pipe that holds no more.
func fullPipe(t *testing.T) (sinktest.Fault, error) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		return sinktest.Fault{}, err
	}
	path := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return sinktest.Fault{}, err
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return sinktest.Fault{}, err
	}
	sink, err := NewFile(path, FileOptions{})
	if err != nil {
		return sinktest.Fault{}, err
	}
	return sinktest.Fault{
		Sink: sink,
		Release: sync.OnceFunc(func() {
			go func() { // until the sink is closed
				_, _ = io.Copy(io.Discard, reader)
				_ = reader.Close()
			}()
		}),
	}, fill(path)
}

// fill writes to a pipe until not a byte more goes into it.
func fill(path string) error {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	for _, size := range []int{4096, 1} {
		for err = nil; err == nil; {
			_, err = syscall.Write(fd, bytes.Repeat([]byte{'\n'}, size))
		}
	}
	return syscall.Close(fd)
}

// memory is an output whose faults can be scripted.
type memory struct {
	mu   sync.Mutex
	text bytes.Buffer
	err  error
	held chan struct{}
}

func (m *memory) Write(p []byte) (int, error) {
	if m.held != nil {
		<-m.held
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, m.err
	}
	return m.text.Write(p)
}

func (m *memory) Sync() error { return nil }

func (m *memory) events(context.Context) ([]v1alpha1.AuditEvent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return parse(m.text.Bytes())
}

func newWriterSubject(m *memory) (auditing.Sink, error) { return NewWriter(m, Options{}) }

func newCoreSubject(m *memory) (auditing.Sink, error) {
	return New(zapcore.NewCore(zapcore.NewJSONEncoder(encoderConfig()), m, zapcore.DebugLevel), Options{})
}

func writerHarness(open func(*memory) (auditing.Sink, error)) sinktest.Harness {
	return sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			out := &memory{}
			sink, err := open(out)
			return sinktest.Subject{
				Sink:   sink,
				Stored: out.events,
				Again:  func(context.Context) (auditing.Sink, error) { return open(out) },
			}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			sink, err := open(&memory{err: syscall.EPIPE})
			return sinktest.Fault{
				Sink:   sink,
				Caused: func(err error) bool { return errors.Is(err, syscall.EPIPE) },
			}, err
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			out := &memory{held: make(chan struct{})}
			sink, err := open(out)
			return sinktest.Fault{Sink: sink, Release: sync.OnceFunc(func() { close(out.held) })}, err
		},
	}
}
