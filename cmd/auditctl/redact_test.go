package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRedactHashPrintsTheHashesOfAValue(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("n", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := file(t, `redactions:
  people:
    keys: [{id: old, file: `+key+`}, {id: new, file: `+key+`, from: 2026-05-01}]
    rules: [{fields: [spec.actor.*], action: hmac}]
  without: {rules: [{fields: [spec.reason], action: drop}]}
sinks: {a: {type: log, path: stderr}}
components: {broker: {sink: a, redact: people, onFailure: open}, proxy: {sink: a, redact: without, onFailure: open}}
`)
	const hash = "a4bf899d1033c45267baa863830c3769" // by openssl
	before, after := "hmac.old."+hash+"  for the oldest events\n", "hmac.new."+hash+"  for events from 2026-05-01T00:00:00Z\n"
	for _, c := range []struct {
		in   string
		args []string
		code int
		out  string
		err  string
	}{
		{"jane@example.com\n", nil, 0, before + after, ""},
		{"jane@example.com", []string{"-"}, 0, before + after, ""},
		{"", []string{"jane@example.com"}, 0, before + after, ""},
		{"jane@example.com", []string{"--at", "2026-05-01T00:00:00Z"}, 0, after, ""},
		{"jane@example.com", []string{"--at", "yesterday"}, 2, "", "usage:"},
		{"\n", nil, 2, "", "on the standard input"},
		{"x", []string{"--redaction", "poeple"}, 1, "", "there is no redaction poeple: did you mean people?"},
		{"x", []string{"--redaction", "without"}, 1, "", "redactions.without has no keys"},
		{"x", []string{"--redaction", ""}, 2, "", "needs --config and --redaction"},
	} {
		args := append([]string{"redact", "hash", "--config", path, "--redaction", "people"}, c.args...)
		code, out, errOut := auditctlIn(t, &environment{in: strings.NewReader(c.in)}, args...)
		if code != c.code || out != c.out || !strings.Contains(errOut, c.err) || strings.Contains(out+errOut, "nnnn") {
			t.Errorf("%q %q: %d\n%s%s", c.in, c.args, code, out, errOut)
		}
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	code, _, errOut := auditctlIn(t, &environment{in: strings.NewReader("x")}, "redact", "hash", "--config", path, "--redaction", "people")
	if code != 1 || !strings.Contains(errOut, "redactions.people: keys[0].file: there is no key") {
		t.Errorf("without the key: %d %s", code, errOut)
	}
}
