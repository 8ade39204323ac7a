package config_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/driver"
)

// stuckSection is a type of sink that ignores contexts. The step that At names does not
// return before release is closed.
type stuckSection struct {
	At   string `yaml:"at" enum:"open,check,close,never"`
	Turn int    `yaml:"turn"`

	release <-chan struct{}
	hangs   chan<- string // gets the step that hangs
	closed  chan<- string
}

func (s *stuckSection) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "stuck", Level: auditing.LevelAcknowledged}
}

func (s *stuckSection) Resources(name string) []string { return []string{name} }

func (s *stuckSection) at(step string) {
	if s.At == step {
		s.hangs <- step
		<-s.release
	}
}

func (s *stuckSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	s.at("open")
	return driver.New(stuck{s, o.Name}), nil
}

type stuck struct {
	*stuckSection

	name string
}

func (stuck) Info() driver.Info {
	return driver.Info{Name: "stuck", Level: auditing.LevelAcknowledged}
}
func (stuck) Store(context.Context, []*driver.Event) []error { return nil }
func (s stuck) Check(context.Context) error                  { s.at("check"); return nil }
func (s stuck) Close(context.Context) error {
	s.at("close")
	s.closed <- s.name
	return nil
}

// stuckTypes returns the types stuck and recorder. The channel hanging gets each step that
// hangs, and closing gets the name of each sink that is closed.
func stuckTypes(t *testing.T, all *recorders) (types *config.Types, hanging, closing <-chan string) {
	t.Helper()
	types = all.types(t)
	release, hangs, closed := make(chan struct{}), make(chan string, 100), make(chan string, 100)
	t.Cleanup(func() { close(release) })
	err := types.Add(config.Type{Name: "stuck", New: func() config.Section { return &stuckSection{release: release, hangs: hangs, closed: closed} }})
	if err != nil {
		t.Fatal(err)
	}
	return types, hangs, closed
}

func stuckFile(at string) string {
	return "sinks: {a: {type: recorder, to: x}, s: {type: stuck, at: " + at + "}}\ncomponents: {broker: {sink: a}, slow: {sink: s}}\n"
}

// returns calls a function with a context of 50 ms. It fails the test when the function has
// not returned 3 s later.
func returns(t *testing.T, what string, call func(context.Context) error) (err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call(ctx) }()
	select {
	case err = <-done:
		return err
	case <-time.After(3 * time.Second):
		t.Fatalf("%s has not returned 3 s after its context ended", what)
		return nil
	}
}

func TestOpenReturnsWithContextWhereSinkHangs(t *testing.T) {
	for _, at := range []string{"open", "check"} {
		var all recorders
		types, _, _ := stuckTypes(t, &all)
		path := writeFile(t, stuckFile(at))
		err := returns(t, "Open", func(ctx context.Context) error {
			_, err := config.Open(ctx, path, types, config.Deps{Static: true, Logger: slog.New(slog.DiscardHandler)})
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want that the time was over", at, err)
		}
		if got := all.noted(); !slices.Equal(got, []string{"open a", "close a"}) {
			t.Errorf("%s: %v, want what was open to be closed", at, got)
		}
	}
}

func TestReloadReturnsWithContextWhereSinkHangs(t *testing.T) {
	for _, at := range []string{"open", "check", "close"} {
		t.Run(at, func(t *testing.T) {
			var all recorders
			types, _, _ := stuckTypes(t, &all)
			path := writeFile(t, stuckFile("never"))
			trail, err := config.Open(t.Context(), path, types, config.Deps{Static: true, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			put(t, path, head+stuckFile(at))
			err = returns(t, "Reload", trail.Reload)
			if at == "close" {
				if err != nil {
					t.Fatal(err)
				}
				put(t, path, head+stuckFile("never"))
				_ = returns(t, "Reload that closes", trail.Reload) // it has to close what hangs
			} else if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Reload: %v, want that the time was over", err)
			}
			if err := trail.For("broker").Write(t.Context(), event(granted)); err != nil {
				t.Errorf("a write beside it: %v", err)
			}
			err = returns(t, "Close", trail.Close)
			if at != "close" && err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func TestCloseReturnsWithContextWhereSinkHangs(t *testing.T) {
	var all recorders
	types, _, _ := stuckTypes(t, &all)
	trail, err := config.Open(t.Context(), writeFile(t, stuckFile("close")), types, config.Deps{Static: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := returns(t, "Close", trail.Close); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v, want that the time was over", err)
	}
	if got := all.noted(); !slices.Equal(got, []string{"open a", "close a"}) {
		t.Errorf("%v, want the other sink closed", got)
	}
}

func TestReloadAndCloseWaitForAnotherNoLongerThanContext(t *testing.T) {
	var all recorders
	types, hanging, _ := stuckTypes(t, &all)
	path := writeFile(t, stuckFile("never"))
	trail, err := config.Open(t.Context(), path, types, config.Deps{Static: true})
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, head+stuckFile("check"))
	ctx, cancel := context.WithCancel(context.Background())
	reloaded := make(chan error, 1)
	go func() { reloaded <- trail.Reload(ctx) }()
	<-hanging // the reload is under way
	if err := returns(t, "Reload", trail.Reload); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Reload: %v, want that the time was over", err)
	}
	if err := returns(t, "Close", trail.Close); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v", err)
	}
	defer cancel()
	if err := <-reloaded; !errors.Is(err, context.Canceled) {
		t.Errorf("the first Reload: %v", err)
	}
	closeTrail(t, trail)
}

func TestSinkThatOpensTooLateIsClosed(t *testing.T) {
	var all recorders
	types := all.types(t)
	release, closed := make(chan struct{}), make(chan string, 1)
	err := types.Add(config.Type{Name: "stuck", New: func() config.Section {
		return &stuckSection{release: release, hangs: make(chan string, 1), closed: closed}
	}})
	if err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, stuckFile("open"))
	_ = returns(t, "Open", func(ctx context.Context) error {
		_, err := config.Open(ctx, path, types, config.Deps{Static: true})
		return err
	})
	close(release)
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("a sink that was opened after Open had given up stays open")
	}
}
