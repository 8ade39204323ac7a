package builtin_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/sinks/redact"
	"github.com/paddock-dev/audit/sinks/retry"
)

// private is a configuration with a redaction, in a folder of its own.
type private struct {
	t    *testing.T
	dir  string
	text string
}

func newPrivate(t *testing.T) *private {
	t.Helper()
	p := &private{t: t, dir: t.TempDir()}
	p.text = `apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
redactions:
  people:
    keys:
    - {id: first, file: ` + p.path("first.key") + `}
    - {id: second, file: ` + p.path("second.key") + `, from: 2026-05-01T00:00:00Z}
    rules:
    - {fields: [spec.runRef.name, spec.actor.*], action: hmac}
    - {fields: [spec.reason], pattern: 'ghp_[A-Za-z0-9]+', action: mask}
    - {kinds: ["prompt-*"], fields: ["spec.detail.*"], action: drop}
sinks:
  all: {type: retry, next: file}
  file: {type: log, path: ` + p.path("audit.log") + `}
components:
  proxy: {sink: all, redact: people, onFailure: open}
  broker: {sink: file, onFailure: open}
`
	p.write("first.key", strings.Repeat("1", 32)+"\n")
	p.write("second.key", strings.Repeat("2", 64)+"\n")
	p.write("audit.yaml", p.text)
	return p
}

func (p *private) path(name string) string { return filepath.Join(p.dir, name) }

func (p *private) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *private) open() *config.Trail {
	p.t.Helper()
	trail, err := config.Open(p.t.Context(), p.path("audit.yaml"), builtin.Types(), config.Deps{Static: true})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = trail.Close(context.Background()) })
	return trail
}

// stored writes an event and returns the line that the log has of it.
func (p *private) stored(s auditing.Sink, when time.Time) string {
	p.t.Helper()
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: "prompt-sent", Decision: v1alpha1.AuditDecisionGranted, Namespace: "team-a", RunName: "jane-1", When: when,
		Reason: "with ghp_123abc", Detail: map[string]string{"prompt": "dear diary"},
	})
	if err := s.Write(p.t.Context(), ae); err != nil {
		p.t.Fatal(err)
	}
	data, err := os.ReadFile(p.path("audit.log"))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, ae.Name) {
			return line
		}
	}
	p.t.Fatalf("the event is not in %s", data)
	return ""
}

var may = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

func TestAComponentWithARedactionWritesThroughIt(t *testing.T) {
	p := newPrivate(t)
	trail := p.open()
	want := "proxy: redact(retry(log(" + p.path("audit.log") + "))): accepted, fails open"
	if got := trail.String(); !strings.Contains(got, want) {
		t.Errorf("chains %s, want %s", got, want)
	}
	if got := auditing.Chain(trail.For("broker")); got != "log("+p.path("audit.log")+")" {
		t.Errorf("the other component writes to %s", got)
	}
	behind, err := retry.New(trail.For("proxy"), retry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]auditing.Sink{"the component": trail.For("proxy"), "behind a stage": behind} {
		line := p.stored(s, may)
		if strings.Contains(line, "jane") || strings.Contains(line, "ghp_") || strings.Contains(line, "diary") || !strings.Contains(line, "hmac.second.") {
			t.Errorf("%s: %s", name, line)
		}
		if line := p.stored(s, may.Add(-1)); !strings.Contains(line, "hmac.first.") {
			t.Errorf("%s, before May: %s", name, line)
		}
	}
	if line := p.stored(trail.For("broker"), may); !strings.Contains(line, "jane") || !strings.Contains(line, "diary") {
		t.Errorf("the other component: %s", line)
	}
}

func TestChangedRulesAndKeysTakeOver(t *testing.T) {
	p := newPrivate(t)
	trail := p.open()
	reload := func() {
		t.Helper()
		if err := trail.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run := func() string {
		t.Helper()
		_, behind, _ := strings.Cut(p.stored(trail.For("proxy"), may), `"runRef":{"name":"`)
		name, _, _ := strings.Cut(behind, `"`)
		return name
	}
	was := run()
	reload()
	if again := run(); again != was {
		t.Errorf("run %s, and %s after a reload without a change", was, again)
	}
	p.write("second.key", strings.Repeat("3", 32))
	reload()
	if now := run(); now == was || !strings.HasPrefix(now, "hmac.second.") {
		t.Errorf("run %s after the key has changed, %s before", now, was)
	}
	p.write("audit.yaml", strings.Replace(p.text, "action: hmac", "action: mask", 1))
	reload()
	if now := run(); now != "[masked]" {
		t.Errorf("run %s after the rule has changed", now)
	}
	p.write("audit.yaml", strings.Replace(p.text, ", redact: people", "", 1))
	reload()
	if now := run(); now != "jane-1" {
		t.Errorf("run %s after the redaction has gone", now)
	}
	p.write("audit.yaml", p.text)
	p.write("second.key", "short")
	if err := trail.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "redactions.people: cannot be opened: keys[1].file") || strings.Contains(err.Error(), "short") {
		t.Errorf("a short key: %v", err)
	}
}

func TestAMissingKeyRefusesToStart(t *testing.T) {
	for name, spoil := range map[string]func(*private){
		"is missing":   func(*private) {},
		"is short":     func(p *private) { p.write("first.key", strings.Repeat("x", 31)+"\n") },
		"is too large": func(p *private) { p.write("first.key", strings.Repeat("x", 1<<20)) },
		"is a folder": func(p *private) {
			if err := os.Mkdir(p.path("first.key"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		p := newPrivate(t)
		if err := os.Remove(p.path("first.key")); err != nil {
			t.Fatal(err)
		}
		spoil(p)
		_, err := config.Open(t.Context(), p.path("audit.yaml"), builtin.Types(), config.Deps{Static: true})
		want := "redactions.people: cannot be opened: keys[0].file: "
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "xxx") {
			t.Errorf("a key that %s: %v", name, err)
		}
	}
}

func TestProblemsOfRedactionsHaveTheirLines(t *testing.T) {
	p := newPrivate(t)
	for _, c := range []struct{ old, replaced, want string }{
		{"spec.reason", "spec.reson", "audit.yaml:10: redactions.people.rules[1].fields[0]: is no field: did you mean spec.reason?"},
		{"spec.reason", "spec.kind", "audit.yaml:10: redactions.people.rules[1].fields[0]: cannot be redacted"},
		{"'ghp_[A", "'(ghp_[A", "audit.yaml:10: redactions.people.rules[1].pattern: is no regular expression (RE2): missing closing )"},
		{"action: mask", "action: hide", "audit.yaml:10: redactions.people.rules[1].action: is not one of the words"},
		{"action: mask", "actoin: mask", "did you mean action?"},
		{"[spec.reason]", "[]", "redactions.people.rules[1].fields: is empty"},
		{"from: 2026-05-01T00:00:00Z", "from: soon", "redactions.people.keys[1].from: want a time, such as"},
		{", from: 2026-05-01T00:00:00Z", "", "redactions.people.keys[1].from: is the same time as that of keys[0]"},
		{"id: second", "id: first", "redactions.people.keys[1].id: is the same as that of keys[0]"},
		{"redact: people", "redact: poeple", "components.proxy.redact: there is no redaction poeple: did you mean people?"},
		{"  people:", "  other people:", "redactions.(not a name): want a name"},
		{"{sink: all, redact", "{sink: al, redact", "components.proxy.sink: there is no sink al: did you mean all?"},
	} {
		_, err := config.Parse("audit.yaml", []byte(strings.Replace(p.text, c.old, c.replaced, 1)), builtin.Types())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: %v, want %s", c.replaced, c.old, err, c.want)
		}
	}
	f, err := config.Parse("audit.yaml", []byte(strings.Replace(p.text, ", redact: people", "", 1)), builtin.Types())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.Warnings()); !strings.Contains(got, "audit.yaml:4: redactions.people: is used by no component") {
		t.Errorf("warnings %s", got)
	}
}

func TestTheRedactionInTheDocsIsValid(t *testing.T) {
	doc, err := os.ReadFile("../../docs/redaction.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(doc), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	text := "apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\nsinks: {everywhere: {type: kube}}\n" + example
	f, err := config.Parse("docs", []byte(text), builtin.Types())
	if err != nil || len(f.Warnings()) > 0 {
		t.Errorf("%v, %v", err, f)
	}
	for _, path := range redact.FieldPaths() {
		if path = strings.TrimSuffix(path, "*"); !strings.Contains(string(doc), "`"+path) {
			t.Errorf("the table of fields lacks %s", path)
		}
	}
}

func TestARedactionKeepsTheLevelOfItsSink(t *testing.T) {
	p := newPrivate(t)
	text := strings.Replace(p.text, "redact: people, onFailure: open", "redact: people", 1)
	_, err := config.Parse("audit.yaml", []byte(text), builtin.Types())
	if err == nil || !strings.Contains(err.Error(), "redact(retry(log("+p.path("audit.log")+"))) is only at level accepted") {
		t.Errorf("error %v", err)
	}
	durable := strings.Replace(text, "path: "+p.path("audit.log"), "path: "+p.path("audit.log")+", fsync: true", 1)
	f, err := config.Parse("audit.yaml", []byte(durable), builtin.Types())
	if err != nil || f.Level("proxy") != auditing.LevelDurable {
		t.Errorf("level %v, %v", f, err)
	}
}
