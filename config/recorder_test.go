package config_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/driver"
)

// recorders is a type of sink that records in memory. Sinks of all files that name the same
// recorder share it.
type recorders struct {
	mu     sync.Mutex
	byName map[string]*recorder
	log    []string // "open a", "close a"
	check  error    // of all
	refuse atomic.Bool
}

type recorder struct {
	sinktest.Recorder

	underWay atomic.Int64
}

type recorderSection struct {
	To       string        `yaml:"to" required:"true"`
	Opens    string        `yaml:"open" enum:"well,badly"`
	Password config.Secret `yaml:"password"`
	Next     []config.Ref  `yaml:"next"`
	Alone    bool          `yaml:"alone"`
	all      *recorders
}

func (s *recorderSection) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "recorder", Level: auditing.LevelAcknowledged}
}

func (s *recorderSection) Resources(string) []string {
	if s.Alone {
		return []string{"recorder " + s.To}
	}
	return nil
}

func (s *recorderSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	s.all.note("open " + o.Name)
	if s.Opens == "badly" || s.all.refuse.Load() {
		return nil, errRefused
	}
	r := s.all.get(s.To)
	d, _ := r.Driver()
	return driver.New(&open{Driver: d, recorder: r, name: o.Name, all: s.all}), nil
}

// open is an opened sink. Its recorder lives longer than it. Its level is acknowledged, so
// that components may fail closed over it.
type open struct {
	driver.Driver

	recorder *recorder
	name     string
	all      *recorders
	mu       sync.RWMutex
	closed   bool
}

func (o *open) Info() driver.Info {
	info := o.Driver.Info()
	info.Level = auditing.LevelAcknowledged
	return info
}

func (o *open) Store(ctx context.Context, events []*driver.Event) []error {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.closed {
		return driver.All(len(events), driver.WithClass(auditing.ClassClosed, errRefused))
	}
	o.recorder.underWay.Add(1)
	defer o.recorder.underWay.Add(-1)
	return o.Driver.Store(ctx, events)
}

func (o *open) Check(context.Context) error { return o.all.check }

func (o *open) Close(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.all.note("close " + o.name)
	return nil
}

func (r *recorders) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, what)
}

func (r *recorders) noted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.log...)
}

func (r *recorders) get(name string) *recorder {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName == nil {
		r.byName = map[string]*recorder{}
	}
	if r.byName[name] == nil {
		r.byName[name] = &recorder{}
	}
	return r.byName[name]
}

// types returns config.Types that have the type recorder only.
func (r *recorders) types(tb testing.TB) *config.Types {
	tb.Helper()
	var types config.Types
	if err := types.Add(config.Type{Name: "recorder", New: func() config.Section { return &recorderSection{all: r} }}); err != nil {
		tb.Fatal(err)
	}
	return &types
}

const head = "apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\n"

// writeFile writes a configuration into a temporary file and returns its path.
func writeFile(tb testing.TB, text string) (path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "audit.yaml")
	if err := os.WriteFile(path, []byte(head+text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// opened opens a trail, and closes it when the test ends.
func opened(tb testing.TB, path string, types *config.Types, deps config.Deps) *config.Trail {
	tb.Helper()
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	trail, err := config.Open(tb.Context(), path, types, deps)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closeTrail(tb, trail) })
	return trail
}

func closeTrail(tb testing.TB, trail *config.Trail) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := trail.Close(ctx); err != nil {
		tb.Errorf("Close: %v", err)
	}
}

func event(d v1alpha1.AuditDecision) *v1alpha1.AuditEvent {
	return auditing.NewEvent(auditing.EventInput{Namespace: "team-a", Kind: "tea-brewed", Decision: d})
}

// componentOf returns the component that an error of OnFailure is about.
func componentOf(err error) string {
	var failed *auditing.WriteError
	if !errors.As(err, &failed) {
		return ""
	}
	return failed.Component
}

// logBuffer collects a log that several goroutines write.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// eventually waits until ok returns true, at most 20 s.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("not in 20 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
