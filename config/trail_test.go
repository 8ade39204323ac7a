package config_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/driver"
)

var errRefused = errors.New("refused by the test")

const (
	granted = v1alpha1.AuditDecisionGranted
	denied  = v1alpha1.AuditDecisionDenied
	warned  = v1alpha1.AuditDecisionWarned
)

func TestConformance(t *testing.T) {
	open := func(fault func(*recorder)) (*config.Trail, *recorder, error) {
		var all recorders
		fault(all.get("x"))
		trail, err := config.Open(t.Context(), writeFile(t, "sinks: {a: {type: recorder, to: x}}\ncomponents: {broker: {sink: a}}\n"),
			all.types(t), config.Deps{Static: true, Logger: slog.New(slog.DiscardHandler)})
		return trail, all.get("x"), err
	}
	release := func(trail *config.Trail) func() { return func() { closeTrail(t, trail) } }
	sinktest.Run(t, sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			trail, r, err := open(func(*recorder) {})
			if err != nil {
				return sinktest.Subject{}, err
			}
			return sinktest.Subject{
				Sink:    trail.For("broker"),
				Stored:  func(context.Context) ([]v1alpha1.AuditEvent, error) { return r.Events(), nil },
				Release: release(trail),
			}, nil
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			trail, _, err := open(func(r *recorder) { r.FailWith(errRefused) })
			if err != nil {
				return sinktest.Fault{}, err
			}
			return sinktest.Fault{
				Sink: trail.For("broker"), Release: release(trail),
				Caused: func(err error) bool { return errors.Is(err, errRefused) },
			}, nil
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			var let func()
			trail, _, err := open(func(r *recorder) { let = r.Hang() })
			if err != nil {
				return sinktest.Fault{}, err
			}
			return sinktest.Fault{Sink: trail.For("broker"), Release: func() { let(); closeTrail(t, trail) }}, nil
		},
	})
}

func TestComponentWritesToItsSinkUnderItsName(t *testing.T) {
	var all recorders
	trail := opened(t, writeFile(t, `
sinks:
  left: {type: recorder, to: left}
  right: {type: recorder, to: right}
components:
  broker: {sink: left}
  proxy: {sink: right}
  "*": {sink: left}
`), all.types(t), config.Deps{})
	for _, name := range []string{"broker", "proxy", "stranger"} {
		if err := trail.For(name).Write(t.Context(), event(granted)); err != nil {
			t.Fatal(err)
		}
	}
	if got := components(all.get("left")); !slices.Equal(got, []string{"broker", "stranger"}) {
		t.Errorf("left has the events of %v", got)
	}
	if got := components(all.get("right")); !slices.Equal(got, []string{"proxy"}) {
		t.Errorf("right has the events of %v", got)
	}
	if got := all.noted(); !slices.Equal(got, []string{"open left", "open right"}) {
		t.Errorf("opened: %v, want each sink once", got)
	}
}

func components(r *recorder) (names []string) {
	for _, ae := range r.Events() {
		names = append(names, ae.Labels[v1alpha1.LabelComponent])
	}
	return names
}

func TestUnknownComponentErrorListsKnownOnes(t *testing.T) {
	var all recorders
	trail := opened(t, writeFile(t, "sinks: {a: {type: recorder, to: x}}\ncomponents: {broker: {sink: a}, proxy: {sink: a}}\n"),
		all.types(t), config.Deps{})
	const want = `there is no component "brokr": did you mean broker?: there are broker, proxy`
	if _, err := trail.Lookup("brokr"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Lookup: %v, want %s", err, want)
	}
	err := trail.For("brokr").Write(t.Context(), event(granted))
	if !errors.Is(err, auditing.ErrAuditWrite) || !strings.Contains(err.Error(), want) {
		t.Errorf("Write: %v, want %s", err, want)
	}
	if _, err := trail.Lookup("proxy"); err != nil {
		t.Error(err)
	}
}

func TestOnFailureAppliesToEachDecision(t *testing.T) {
	var all recorders
	var heard []string
	trail := opened(t, writeFile(t, `
sinks: {a: {type: recorder, to: x}}
components:
  closed: {sink: a}
  open: {sink: a, onFailure: open}
  proxy: {sink: a, onFailure: {denied: closed, granted: open}}
`), all.types(t), config.Deps{OnFailure: func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
		if errors.Is(err, errRefused) {
			heard = append(heard, componentOf(err)+" "+string(ae.Spec.Decision))
		}
	}})
	all.get("x").FailWith(errRefused)
	for component, fails := range map[string][]v1alpha1.AuditDecision{
		"closed": {granted, denied, warned}, "open": {}, "proxy": {denied, warned},
	} {
		for _, d := range []v1alpha1.AuditDecision{granted, denied, warned} {
			err := trail.For(component).Write(t.Context(), event(d))
			if (err != nil) != slices.Contains(fails, d) {
				t.Errorf("%s, %s: %v", component, d, err)
			}
		}
	}
	slices.Sort(heard)
	if want := []string{"open denied", "open granted", "open warned", "proxy granted"}; !slices.Equal(heard, want) {
		t.Errorf("OnFailure heard %v, want %v", heard, want)
	}
	if l := auditing.LevelOf(trail.For("proxy")); l != auditing.LevelNone {
		t.Errorf("level of what fails open: %s", l)
	}
	if l := auditing.LevelOf(trail.For("closed")); l != auditing.LevelAcknowledged {
		t.Errorf("level of what fails closed: %s", l)
	}
}

func TestDetachedWriteOutlivesItsCaller(t *testing.T) {
	var all recorders
	trail := opened(t, writeFile(t, `
sinks: {a: {type: recorder, to: x}}
components:
  detached: {sink: a, detach: true, timeout: 1m}
  attached: {sink: a}
`), all.types(t), config.Deps{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := trail.For("attached").Write(ctx, event(granted)); !errors.Is(err, context.Canceled) {
		t.Errorf("attached: %v, want the caller's cancellation", err)
	}
	if err := trail.For("detached").Write(ctx, event(granted)); err != nil {
		t.Error(err)
	}
	if got := components(all.get("x")); !slices.Equal(got, []string{"detached"}) {
		t.Errorf("recorded: %v", got)
	}
}

func TestTimeoutOfComponentEndsWrite(t *testing.T) {
	var all recorders
	trail := opened(t, writeFile(t, "sinks: {a: {type: recorder, to: x}}\ncomponents: {broker: {sink: a, timeout: 20ms, detach: true}}\n"),
		all.types(t), config.Deps{})
	defer all.get("x").Hang()()
	err := trail.For("broker").Write(t.Context(), event(granted))
	if class, _ := driver.ClassOf(err); class != auditing.ClassTimeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write: %v, want a timeout", err)
	}
}

func TestFailedOpenClosesSinksInReverse(t *testing.T) {
	for name, c := range map[string]struct {
		last  string
		check error
		want  []string
		says  string
	}{
		"a sink that cannot be opened": {
			last: "{type: recorder, to: x, open: badly}", says: "sinks.c: cannot be opened: refused by the test",
			want: []string{"open a", "open b", "open c", "close b", "close a"},
		},
		"a destination that fails its check": {
			last: "{type: recorder, to: x, check: fail}", check: errRefused, says: "sinks.c: failed its check: refused by the test: mend it, or set check: warn or skip",
			want: []string{"open a", "open b", "open c", "close c", "close b", "close a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := recorders{check: c.check}
			path := writeFile(t, "check: warn\nsinks:\n  a: {type: recorder, to: x}\n  b: {type: recorder, to: x, check: skip, next: [a]}\n  c: "+c.last+"\n"+
				"components: {k: {sink: b}, l: {sink: c}}\n")
			_, err := config.Open(t.Context(), path, all.types(t), config.Deps{Logger: slog.New(slog.DiscardHandler)})
			if !errors.Is(err, errRefused) || !strings.Contains(err.Error(), path+": "+c.says) {
				t.Errorf("Open: %v, want %s", err, c.says)
			}
			if got := all.noted(); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestFailedCheckIsWarningWithCheckWarn(t *testing.T) {
	all := recorders{check: errRefused}
	var log logBuffer
	opened(t, writeFile(t, "check: skip\nsinks: {a: {type: recorder, to: x, check: warn}, b: {type: recorder, to: x}}\ncomponents: {k: {sink: a}, l: {sink: b}}\n"),
		all.types(t), config.Deps{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if got := log.String(); strings.Count(got, "failed its check") != 1 || !strings.Contains(got, "sink=a") {
		t.Errorf("log: %s", got)
	}
}

func TestOpenWithoutNamedFileFails(t *testing.T) {
	t.Setenv(config.Environment, "")
	trail, err := config.Open(t.Context(), "", builtin.Types(), config.Deps{Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Errorf("no file is named, and yet there are the chains %s", trail)
		closeTrail(t, trail)
	} else if !strings.Contains(err.Error(), config.Environment) {
		t.Errorf("Open: %v, want that it names %s", err, config.Environment)
	}
}

func TestDefaultLogsToStderrAndSaysSo(t *testing.T) {
	t.Setenv(config.Environment, t.TempDir()+"/none.yaml") // does not matter
	var log logBuffer
	trail, err := config.Default(t.Context(), builtin.Types(), config.Deps{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer closeTrail(t, trail)
	if got, want := trail.String(), "*: log(stderr): accepted, fails open"; got != want {
		t.Errorf("chains: %s, want %s", got, want)
	}
	if got := log.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, "there is no file") {
		t.Errorf("log: %s, want a warning", got)
	}
}

func TestComponentThatMustFailClosedRefusesOpenFile(t *testing.T) {
	var all recorders
	deps := config.Deps{Static: true, Logger: slog.New(slog.DiscardHandler), FailClosed: []string{"broker"}}
	const sinks = "sinks: {a: {type: recorder, to: x}}\n"
	for components, want := range map[string]string{
		"{broker: {sink: a, onFailure: open}}":                 "components.broker: fails open",
		"{'*': {sink: a, onFailure: {warned: open}}}":          "components.broker: fails closed for granted, denied",
		"{proxy: {sink: a}}":                                   `there is no component "broker"`,
		"{broker: {sink: a}, '*': {sink: a, onFailure: open}}": "",
	} {
		trail, err := config.Open(t.Context(), writeFile(t, sinks+"components: "+components+"\n"), all.types(t), deps)
		if trail != nil {
			closeTrail(t, trail)
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", components, err, want)
		}
	}
	if trail, err := config.Default(t.Context(), builtin.Types(), deps); err == nil {
		closeTrail(t, trail)
		t.Error("the default is opened for a component that must fail closed")
	}
	path := writeFile(t, sinks+"components: {broker: {sink: a}}\n")
	trail := opened(t, path, all.types(t), deps)
	put(t, path, head+sinks+"components: {broker: {sink: a, onFailure: open}}\n")
	if err := trail.Reload(t.Context()); err == nil || auditing.LevelOf(trail.For("broker")) != auditing.LevelAcknowledged {
		t.Errorf("Reload: %v; level %s, want that the old file goes on", err, auditing.LevelOf(trail.For("broker")))
	}
}

func TestEnvironmentNamesFile(t *testing.T) {
	var all recorders
	t.Setenv(config.Environment, writeFile(t, "sinks: {a: {type: recorder, to: x}}\ncomponents: {broker: {sink: a}}\n"))
	if got := opened(t, "", all.types(t), config.Deps{}).Components(); !slices.Equal(got, []string{"broker"}) {
		t.Errorf("components: %v", got)
	}
	t.Setenv(config.Environment, t.TempDir()+"/none.yaml")
	if _, err := config.Open(t.Context(), "", all.types(t), config.Deps{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open: %v, want that there is no such file", err)
	}
}

func TestClosedTrailRefusesWrites(t *testing.T) {
	var all recorders
	trail := opened(t, writeFile(t, "sinks: {a: {type: recorder, to: x}}\ncomponents: {broker: {sink: a}}\n"), all.types(t), config.Deps{})
	sink := trail.For("broker")
	closeTrail(t, trail)
	closeTrail(t, trail)
	if class, _ := driver.ClassOf(sink.Write(t.Context(), event(granted))); class != auditing.ClassClosed {
		t.Errorf("class %s, want closed", class)
	}
	if err := trail.Reload(t.Context()); err == nil {
		t.Error("a closed trail reloads")
	}
	if got := all.noted(); !slices.Equal(got, []string{"open a", "close a"}) {
		t.Errorf("%v", got)
	}
}

func TestCloseWaitsForWriteUntilContextEnds(t *testing.T) {
	var all recorders
	trail := opened(t, writeFile(t, "sinks: {a: {type: recorder, to: x}}\ncomponents: {broker: {sink: a}}\n"), all.types(t), config.Deps{})
	release := all.get("x").Hang()
	wrote := make(chan error, 1)
	go func() { wrote <- trail.For("broker").Write(context.Background(), event(granted)) }()
	eventually(t, "the write hangs", func() bool { return all.get("x").underWay.Load() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- trail.Close(ctx) }()
	<-ctx.Done()
	release()
	if err := <-wrote; err != nil {
		t.Errorf("the write under way: %v", err)
	}
	if err := <-closed; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v", err)
	}
}
