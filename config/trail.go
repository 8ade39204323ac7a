package config

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/hooks"
)

// Environment is the variable that names the file when Open is given none.
const Environment = "AUDIT_CONFIG"

// defaultFile is what Default opens. It sends all events to a log on stderr.
//
//go:embed default.yaml
var defaultFile []byte

const defaultName = "(built-in default)"

// Deps is what a trail takes from its program. The zero value is valid.
type Deps struct {
	// Logger gets warnings, reloads, and the failures of components that fail open;
	// slog.Default() when nil.
	Logger *slog.Logger
	// Registerer takes the metrics of the trail and of its sinks; none when nil.
	// Those of package auditing are registered by auditing.RegisterMetrics.
	Registerer prometheus.Registerer
	// OnFailure is called for every event that was not written although its Write
	// returned nil, as onFailure: open says. It runs on the writer's goroutine. err is
	// an *auditing.WriteError, which names the component. When OnFailure is nil, the
	// error is logged.
	OnFailure func(ctx context.Context, ae *v1alpha1.AuditEvent, err error)
	// FailClosed names the components that go on only when their events are safe. A file
	// that has no chain for one of them, or lets it fail open for any decision, is refused
	// by Open and by Reload. None when empty.
	FailClosed []string
	// Only, when not empty, is the component that the program writes as. The trail then
	// has no other one, opens the sinks of its chain alone, and an unknown one is an error.
	Only string
	// Static turns off following the file and SIGHUP. Reload still works.
	Static bool
}

// Trail is an opened configuration. It is safe for concurrent use.
type Trail struct {
	path    string // "" for the built-in default
	types   *Types
	deps    Deps
	metrics *reloadMetrics

	current atomic.Pointer[generation]
	closed  atomic.Bool

	reloading chan struct{} // holds a value while a Reload or Close is under way
	restoring bool          // keepRestoring is running; guarded by reloading
	// retired is closed when the sinks of earlier files are; nil at first. Guarded by
	// reloading.
	retired chan struct{}
	// life ends when Close gives up waiting.
	life context.Context
	end  context.CancelFunc

	// running ends when Close begins: it ends following and reloading.
	running  context.Context
	stop     context.CancelFunc
	followed sync.WaitGroup
}

var errNoFile = errors.New("config: no file is named: give Open a path, or name the file in the environment variable " + Environment)

// Open reads the file at path, opens every sink that a component uses, checks the
// destinations, and follows the file until Close. With an empty path the file is
// that of the environment variable AUDIT_CONFIG. It is an error when that is empty as
// well.
//
// A bad file is a *FileError with everything that is wrong. When a sink cannot be
// opened or fails its check, those opened before it are closed again. ctx bounds
// the opening only.
func Open(ctx context.Context, path string, types *Types, deps Deps) (*Trail, error) {
	if path == "" {
		path = os.Getenv(Environment)
	}
	if path == "" {
		return nil, errNoFile
	}
	return openTrail(ctx, path, types, deps)
}

// Default opens the built-in configuration: every component writes to a log on stderr
// and goes on when it cannot, so that an event can be lost unnoticed. It is for trying
// a program out, and logs a warning that says so. types must have the type log.
func Default(ctx context.Context, types *Types, deps Deps) (*Trail, error) {
	t, err := openTrail(ctx, "", types, deps)
	if err == nil {
		t.deps.Logger.Warn("audit configuration: there is no file: events go to stderr only, and components go on without a record when that fails")
	}
	return t, err
}

// openTrail opens the file at path, or the built-in default when path is empty.
func openTrail(ctx context.Context, path string, types *Types, deps Deps) (*Trail, error) {
	if deps.Logger == nil {
		deps.Logger = slog.Default()
	}
	deps.Logger = hooks.Logger(deps.Logger)
	t := &Trail{path: path, types: types, deps: deps, reloading: make(chan struct{}, 1)}
	t.life, t.end = context.WithCancel(context.Background())
	t.running, t.stop = context.WithCancel(t.life)
	if deps.OnFailure == nil {
		t.deps.OnFailure = t.logFailure
	} else {
		t.deps.OnFailure = func(ctx context.Context, ae *v1alpha1.AuditEvent, err error) {
			_ = hooks.Call("Deps.OnFailure", func() { deps.OnFailure(ctx, ae, err) }) // it is logged
		}
	}
	var err error
	if t.metrics, err = newReloadMetrics(deps.Registerer); err != nil {
		return nil, err
	}
	data, err := t.read(ctx)
	if err != nil {
		return nil, err
	}
	t.current.Store(newGeneration(&File{}, nil))
	if err := t.exchange(ctx, data); err != nil {
		return nil, err
	}
	if path != "" && !deps.Static {
		if err := t.follow(data); err != nil {
			return nil, errors.Join(err, t.Close(ctx))
		}
	}
	t.metrics.count(nil)
	return t, nil
}

// parse reads a configuration, checks it against the demands of the program, and logs its
// warnings.
func (t *Trail) parse(ctx context.Context, data []byte) (*File, error) {
	file, err := Parse(t.name(), data, t.types)
	if err != nil {
		return nil, err
	}
	for _, name := range t.deps.FailClosed {
		switch c, known := file.component(name); {
		case !known:
			return nil, unknownComponent(file, name)
		case len(c.OnFailure.closed()) < 3:
			return nil, fmt.Errorf("%s: components.%s: fails %s, and the program goes on only when its events are safe: set onFailure: closed",
				file.name, name, c.OnFailure)
		}
	}
	if name := t.deps.Only; name != "" {
		c, known := file.component(name)
		if !known {
			return nil, unknownComponent(file, name)
		}
		file.components = map[string]component{name: c}
		file.dropUnused()
	}
	for _, w := range file.warnings {
		t.deps.Logger.Warn("audit configuration: " + w.String())
	}
	err = file.identify(ctx)
	return file, err
}

func (t *Trail) name() string {
	if t.path == "" {
		return defaultName
	}
	return t.path
}

func (t *Trail) read(ctx context.Context) ([]byte, error) {
	if t.path == "" {
		return defaultFile, nil
	}
	return awaitResult(ctx, func() ([]byte, error) { return readFile(t.path) })
}

func (t *Trail) logFailure(_ context.Context, _ *v1alpha1.AuditEvent, err error) {
	failed := &auditing.WriteError{}
	errors.As(err, &failed)
	t.deps.Logger.Error("an event was not recorded and its component goes on", "component", failed.Component, "error", err.Error())
}

// For returns the sink of a component. It stays valid over reloads and until Close.
// When the file has no such component, every Write fails with an error that lists
// those it has.
func (t *Trail) For(component string) auditing.Sink { return &handle{trail: t, component: component} }

// Lookup is For, but returns the error of an unknown component at once.
func (t *Trail) Lookup(component string) (auditing.Sink, error) {
	f := t.file()
	if _, ok := f.component(component); !ok {
		return nil, unknownComponent(f, component)
	}
	return t.For(component), nil
}

func unknownComponent(f *File, component string) error {
	return fmt.Errorf("%s: there is no component %q%s", f.name, component, choice{component, f.Components()})
}

// Sink returns the sink of this name, for a program that writes the events of other
// components, as the reaper does. Events keep their component, and no timeout or
// onFailure of a component applies. A sink that no component uses, directly or behind
// a stage, is not open, which is an error. The returned sink stays valid over reloads
// and until Close; while the file has no such sink, every Write fails. Its method
// Wait(ctx) waits for the checkpoints of a sink of type seal.
func (t *Trail) Sink(name string) (auditing.Sink, error) {
	g := t.current.Load()
	if _, open := g.sinks[name]; !open {
		return nil, g.notOpen(name)
	}
	return &handle{trail: t, sink: name}, nil
}

// Places returns what File.Places does, of the current file.
func (t *Trail) Places(names ...string) ([]Place, error) { return t.file().Places(names...) }

// Components returns the names of the configured components, sorted.
func (t *Trail) Components() []string { return t.file().Components() }

func (t *Trail) file() *File { return t.current.Load().file }

// String prints one line a component, for the log at the start: "broker:
// multi(all)[kube, loki]: acknowledged, fails closed, timeout 3s".
func (t *Trail) String() string { return t.current.Load().String() }

// GoString returns what String does: %#v would print what the sinks hold.
func (t *Trail) GoString() string { return t.String() }

// Close refuses later writes with auditing.ClassClosed, waits for those under way
// until ctx ends, stops following the file, and closes every sink. It returns soon after
// ctx ends, also when a sink does not; its error then says which one. Closing again is
// harmless, and closes the rest when another reload kept the first Close from beginning.
func (t *Trail) Close(ctx context.Context) error {
	t.stop()
	if err := await(ctx, func() error { t.followed.Wait(); return nil }); err != nil {
		return fmt.Errorf("config: closing the trail: following %s: %w", t.path, err)
	}
	if err := t.lock(ctx); err != nil {
		return fmt.Errorf("config: closing the trail: %w", err)
	}
	defer t.unlock()
	if t.closed.Swap(true) {
		return nil
	}
	stop := context.AfterFunc(ctx, t.end)
	defer stop()
	g := t.current.Load()
	err := g.writing.Close(ctx)
	if err != nil {
		err = fmt.Errorf("config: closing the trail: %w", err)
	}
	err = errors.Join(err, closeAll(ctx, g.opened()))
	<-t.retired // it is closed soon after ctx ends at the latest
	t.end()
	return err
}

var errTrailClosed = errors.New("the trail is closed")

// enter returns the current generation and counts n events as under way in it. The
// caller has to leave its gate.
func (t *Trail) enter(ctx context.Context, n int) (*generation, error) {
	for {
		g := t.current.Load()
		if g.writing.Enter(n) == nil {
			return g, nil
		}
		if t.closed.Load() {
			return nil, driver.WithClass(auditing.ClassClosed, errTrailClosed)
		}
		select {
		case <-g.over:
		case <-ctx.Done():
			return nil, fmt.Errorf("a sink was changing hands: %w", ctx.Err())
		}
	}
}
