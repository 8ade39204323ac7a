package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// session is a block of docs/auditctl.md with commands and what they print.
var session = regexp.MustCompile("(?s)```console\n(.*?)```")

func TestTheDocsShowWhatAuditctlPrints(t *testing.T) {
	path, err := filepath.Abs("../../docs/auditctl.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	inTrail(t)
	if configuration, err := os.ReadFile("audit.yaml"); err != nil || !strings.Contains(string(text), "```yaml\n"+string(configuration)+"```") {
		t.Errorf("the docs show another audit.yaml: %v", err)
	}
	blocks := 0
	got := session.ReplaceAllStringFunc(string(text), func(block string) string {
		blocks++
		var b strings.Builder
		b.WriteString("```console\n")
		for line := range strings.Lines(block) {
			if args, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "$ auditctl "); ok {
				b.WriteString(line)
				b.WriteString(documented(t, args))
			}
		}
		return b.String() + "```"
	})
	if blocks == 0 {
		t.Fatal("the docs show nothing")
	}
	compare(t, path, got)
}

// documented returns what a command prints in a terminal of 120 columns without colours.
func documented(t *testing.T, args string) string {
	t.Helper()
	env := &environment{
		terminal: true, width: 120, now: func() time.Time { return noon.Add(25 * time.Minute) },
		getenv: func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] },
	}
	var list []string
	for i, part := range strings.Split(args, "'") {
		if i%2 == 1 { // within quotes
			list = append(list, part)
		} else {
			list = append(list, strings.Fields(part)...)
		}
	}
	_, out, errOut := auditctlIn(t, env, list...)
	return out + errOut
}
