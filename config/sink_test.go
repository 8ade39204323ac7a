package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
)

func TestSinkByNameKeepsComponentOfEvents(t *testing.T) {
	var all recorders
	const text = "sinks:\n  a: {type: recorder, to: TO}\n  unused: {type: recorder, to: z}\ncomponents: {reaper: {sink: a, onFailure: open}}\n"
	path := writeFile(t, strings.Replace(text, "TO", "x", 1))
	trail := opened(t, path, all.types(t), config.Deps{Static: true})
	sink, err := trail.Sink("a")
	if err != nil || auditing.LevelOf(sink) != auditing.LevelAcknowledged {
		t.Fatalf("%v at level %s: %v", sink, auditing.LevelOf(sink), err)
	}
	write := func() error {
		ae := event(granted)
		ae.Labels[v1alpha1.LabelComponent] = "broker"
		return sink.Write(t.Context(), ae)
	}
	reload := func(from, to string) {
		t.Helper()
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, []byte(strings.ReplaceAll(string(data), from, to)), 0o600)
		}
		if err == nil {
			err = trail.Reload(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := write(); err != nil {
		t.Error(err)
	}
	reload("to: x", "to: y")
	if err := write(); err != nil {
		t.Error(err)
	}
	for _, to := range []string{"x", "y"} {
		if got := components(all.get(to)); len(got) != 1 || got[0] != "broker" {
			t.Errorf("%s has events of %v, want one of the broker", to, got)
		}
	}
	reload("sink: a", "sink: unused")
	if err := write(); err == nil || !strings.Contains(err.Error(), "no component uses the sink a") {
		t.Errorf("a sink that the file has closed: %v", err)
	}
	if l := auditing.LevelOf(sink); l != auditing.LevelNone {
		t.Errorf("a sink that the file has closed is at level %s", l)
	}
}

func TestSinkThatIsNotOpenIsAnError(t *testing.T) {
	var all recorders
	trail := opened(t, writeFile(t, "sinks:\n  lake: {type: recorder, to: x}\n  unused: {type: recorder, to: z}\ncomponents: {reaper: {sink: lake}}\n"),
		all.types(t), config.Deps{Static: true})
	for name, want := range map[string]string{
		"unused": "no component uses the sink unused, so it is not open: name it under components",
		"lke":    "there is no sink lke: did you mean lake?: there are lake, unused",
	} {
		if _, err := trail.Sink(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
