package config_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

// secretTypes returns all built-in types, and the type recorder, which has a key of type
// config.Secret.
func secretTypes(t *testing.T, all *recorders) *config.Types {
	types := builtin.Types()
	if err := types.Add(config.Type{Name: "recorder", New: func() config.Section { return &recorderSection{all: all} }}); err != nil {
		t.Fatal(err)
	}
	return types
}

// seen returns everything that a program could print of a file: its error, its warnings,
// the file with every verb of fmt, and the errors and the log of opening it.
func seen(t *testing.T, text string, types *config.Types) string {
	t.Helper()
	var out strings.Builder
	f, err := config.Parse("audit.yaml", []byte(text), types)
	fmt.Fprintf(&out, "%v %+v %#v %s\n", err, err, err, err)
	if f != nil {
		fmt.Fprintf(&out, "%v %+v %#v %s %v\n", f, f, f, f, f.Warnings())
	}
	var log logBuffer
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // so that nothing waits for a destination
	trail, err := config.Open(ctx, writeFile(t, strings.TrimPrefix(text, head)), types, config.Deps{
		Static: true, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	fmt.Fprintf(&out, "%v %+v %#v\n", err, err, err)
	if trail != nil {
		sink := trail.For("broker")
		err := sink.Write(ctx, event(denied))
		fmt.Fprintf(&out, "%v %+v %#v %v %+v %#v %v\n", trail, trail, trail, sink, sink, sink, err)
		closeTrail(t, trail)
	}
	return out.String() + log.String()
}

// nested writes a value under a path of keys: "a.b" becomes {a: {b: value}}.
func nested(path, value string) string {
	keys := strings.Split(strings.ReplaceAll(path, "NAME", "X-Name"), ".")
	return strings.Join(keys, ": {") + ": " + value + strings.Repeat("}", len(keys)-1)
}

// required has the keys that a section of each type must have.
var required = map[string]string{
	"flood": "next: other", "kube": "", "log": "path: stderr", "loki": "url: 'http://127.0.0.1:1'", "multi": "next: [other]", "otlp": "url: 'http://127.0.0.1:1'",
	"recorder": "to: x", "retry": "next: other", "seal": "next: other", "spool": "next: other, dir: DIR",
	"webhook": "url: 'http://127.0.0.1:1'",
}

const odd, plain = "s3cr3t/of+the=house", "hunter2"

// form is one way to put a secret where a value belongs.
type form struct{ text, secret string }

var forms = []form{
	{"'%s'", odd},
	{"['%s']", odd},
	{"{'%s': x}", odd},
	{"{x: '%s'}", odd},
	{"'http://u:%s@host'", odd},
	{"'%s'", plain},
	{"['%s']", plain},
	{"{x: '%s'}", plain},
	{"*%s", plain},
	{"!%s x", plain},
	{"'http://u:%s@host'", plain},
}

// skips reports that messages have to name the value of a key: of a sink, a file or a
// namespace.
func (f form) skips(k config.Key) bool {
	oneText := !strings.ContainsAny(f.text, "[{*!")
	switch {
	case strings.HasSuffix(k.Name, "_file"), k.Name == "key.file", k.Name == "path", k.Name == "dir", strings.HasSuffix(k.Name, "kubeconfig"), k.Name == "checkNamespace":
		return oneText
	case strings.Contains(k.Kind, "sink"):
		return f.secret == plain
	}
	return false
}

func TestNoMessageHoldsSecret(t *testing.T) {
	var all recorders
	types := secretTypes(t, &all)
	tried := 0
	try := func(name, secret, section string) {
		tried++
		text := head + "check: warn\nsinks:\n  other: {type: recorder, to: x}\n  a: " + section + "\ncomponents:\n  broker: {sink: a, onFailure: open}\n"
		if got := seen(t, text, types); strings.Contains(got, secret) {
			t.Errorf("%s is seen with\n%s\nin\n%s", name, text, got)
		}
	}
	for _, typ := range types.All() {
		want := strings.ReplaceAll(required[typ.Name], "DIR", t.TempDir())
		for _, k := range typ.Keys() {
			rest := ""
			if own, _, _ := strings.Cut(want, ":"); want != "" && own != k.Name {
				rest = ", " + want
			}
			for _, form := range forms {
				if form.skips(k) {
					continue
				}
				at := nested(k.Name, fmt.Sprintf(form.text, form.secret))
				try(typ.Name+" "+at, form.secret, "{type: "+typ.Name+", "+at+rest+"}")
			}
		}
	}
	for _, text := range []string{"'%s'", "{'%s': x}", "{type: '%s'}", "{type: log, path: stderr, '%s': x}", "{type: log, path: stderr, check: '%s'}", "{type: multi, next: ['%s']}"} {
		try(text, odd, fmt.Sprintf(text, odd))
	}
	if tried < 300 {
		t.Errorf("only %d places were tried", tried)
	}
}

func TestSecretInTheClearGetsWarningWithoutIt(t *testing.T) {
	var all recorders
	text := head + `sinks:
  lake:
    type: loki
    url: http://127.0.0.1:1
    check: skip
    http:
      basic_auth: {username: u, password: hunter2}
      proxy_url: http://u:hunter2@proxy:3128
      http_headers: {X-Token: {secrets: [hunter2]}}
  a: {type: recorder, to: x, password: hunter2}
components:
  broker: {sink: lake}
  proxy: {sink: a}
`
	f, err := config.Parse("audit.yaml", []byte(text), secretTypes(t, &all))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range f.Warnings() {
		got = append(got, w.String())
	}
	want := `audit.yaml:9: sinks.lake.http.basic_auth.password: is a secret in the clear: put it into a file that only the component can read, and name that under password_file
audit.yaml:10: sinks.lake.http.proxy_url: holds a password in the clear: take it out of the URL
audit.yaml:11: sinks.lake.http.http_headers.X-Token.secrets[0]: is a secret in the clear: put it into a file that only the component can read, and name that
audit.yaml:12: sinks.a.password: is a secret in the clear: put it into a file that only the component can read, and name that under password_file`
	if strings.Join(got, "\n") != want {
		t.Errorf("warnings:\n%s\nwant:\n%s", strings.Join(got, "\n"), want)
	}
	if out := seen(t, text, secretTypes(t, &all)); strings.Contains(out, "hunter2") || !strings.Contains(out, "password_file") {
		t.Errorf("what is printed and logged:\n%s", out)
	}
}

func TestSecretPrintsRedacted(t *testing.T) {
	s := struct {
		Password config.Secret
		Sink     auditing.Sink
	}{Password: "hunter2"}
	out, err := json.Marshal(s)
	text := fmt.Sprintf("%v %+v %#v %s %q %x %d %s", s, s, s, s.Password, s.Password, s.Password, s.Password, out)
	if err != nil || strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") || strings.Count(text, "secret") < 8 {
		t.Errorf("%s %v", text, err)
	}
	if s.Password.Reveal() != "hunter2" {
		t.Error("the secret is lost")
	}
}
