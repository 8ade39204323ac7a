package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
)

func TestReadingRefusesWrongUse(t *testing.T) {
	inTrail(t)
	for args, want := range map[string]string{
		"get":                                   "no source",
		"logs -f":                               "no source",
		"count":                                 "no source",
		"show":                                  "want the name of an event",
		"diff audit.log":                        "two places or more",
		"diff audit.log audit.log":              "named twice",
		"get --since soon audit.log":            "is no time",
		"get --since -1h audit.log":             "is no time",
		"get --since 1h --until 2h audit.log":   "is not before",
		"get --decision deny audit.log":         "granted, denied, warned",
		"get --decision denid audit.log":        "did you mean denied?",
		"get --where event.spec. audit.log":     "--where",
		"get --where 1+1 audit.log":             "want true or false",
		"get --limit 0 audit.log":               "above 0",
		"get --last -1 audit.log":               "above 0",
		"get --last 1 --limit 1 audit.log":      "exclude each other",
		"get -o tabel audit.log":                "did you mean table?",
		"get --time now audit.log":              "want one of relative, exact, short",
		"get --colour never audit.log":          "did you mean --color?",
		"logs -f --last 1 audit.log":            "excludes -f",
		"logs -f -o json audit.log":             "ndjson",
		"count --by kin audit.log":              "did you mean kind?",
		"count --every 0s audit.log":            "no duration above 0",
		"count --every -5m audit.log":           "no duration above 0",
		"diff --pending -1s audit.log copy.log": "--pending",
		"export -o table audit.log":             "want one of ndjson, json, csv, yaml",
		"get --namespce x audit.log":            "did you mean --namespace?",
	} {
		code, out, errOut := auditctl(t, strings.Fields(args)...)
		if code != 2 || out != "" || !strings.Contains(errOut, want) || !strings.Contains(errOut, "--help") {
			t.Errorf("%s: %d %s%s, want %s", args, code, out, errOut, want)
		}
	}
}

func TestEachFlagOfTheQueryTakesItsEvents(t *testing.T) {
	inTrail(t)
	for args, want := range map[string]int{
		"":                                       6,
		"--since 24m":                            4,
		"--since 2026-04-25T12:06:40Z":           2,
		"--since 2026-04-25":                     6,
		"--since 2026-04-26":                     0,
		"--since 1d --until 20m":                 3,
		"--until 2026-04-25":                     0,
		"-n team-a":                              3,
		"-n team-a,team-b":                       6,
		"-n team-a -n team-b":                    6,
		"--component broker":                     1,
		"--kind egress-block":                    2,
		"--decision denied":                      3,
		"--decision denied,warned":               4,
		"--run hr-1":                             2,
		"--grep platform":                        1,
		"--where has(event.spec.object)":         1,
		"--where event.spec.count>30":            1,
		"--limit 4":                              4,
		"--last 2":                               2,
		"--last 9":                               6,
		"--decision denied --run hr-1 --limit 9": 1,
	} {
		env := &environment{now: func() time.Time { return noon.Add(25 * time.Minute) }}
		code, out, errOut := auditctlIn(t, env, append([]string{"export", "audit.log"}, strings.Fields(args)...)...)
		if code != 0 || strings.Count(out, "\n") != want {
			t.Errorf("%s: %d %s\n%swant %d", args, code, errOut, out, want)
		}
	}
	if _, out, _ := auditctl(t, "export", "--last", "2", "audit.log"); !strings.Contains(out, "controller-0400") || !strings.HasSuffix(out, "}}}\n") {
		t.Errorf("the last two are\n%s", out)
	}
}

func TestStandardInputIsASource(t *testing.T) {
	inTrail(t)
	env := &environment{in: strings.NewReader(lines(trail(t)...))}
	if code, out, errOut := auditctlIn(t, env, "count", "--by", "component", "-o", "csv", "-"); code != 0 || !strings.Contains(out, "proxy,4,40\n") {
		t.Errorf("%d %s%s", code, out, errOut)
	}
	env = &environment{in: strings.NewReader(lines(trail(t)...))}
	if code, out, errOut := auditctlIn(t, env, "diff", "audit.log", "-"); code != 0 || out != "" {
		t.Errorf("%d %s%s", code, out, errOut)
	}
}

func TestAPipeAndNO_COLORGetNoColours(t *testing.T) {
	inTrail(t)
	for _, env := range []*environment{
		{},
		{terminal: true, width: 100, getenv: func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] }},
		{terminal: true, width: 100, getenv: func(name string) string { return map[string]string{"TERM": "dumb"}[name] }},
	} {
		if _, out, _ := auditctlIn(t, env, "get", "audit.log"); strings.Contains(out, "\x1b") || out == "" {
			t.Errorf("it prints\n%q", out)
		}
	}
	if _, out, _ := auditctl(t, "get", "--color", "always", "audit.log"); !strings.Contains(out, "\x1b[31mdenied\x1b[0m") {
		t.Errorf("always prints\n%q", out)
	}
}

func TestATableOfManyRowsIsPrintedInFull(t *testing.T) {
	inTrail(t)
	var b strings.Builder
	for i := range 2500 {
		b.WriteString(lines(stored(t, "proxy", i, auditing.EventInput{Kind: "egress-block", Decision: "denied", Namespace: fmt.Sprintf("ns-%d", i)})))
	}
	write(t, "many.log", b.String())
	_, out, _ := auditctl(t, "get", "many.log")
	if n := strings.Count(out, "\n"); n != 2501 || !strings.Contains(out, "ns-2499") {
		t.Errorf("%d lines, want 2,501", n)
	}
}

// screen is an output that a test can wait for.
type screen struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return len(p), nil
}

// shows waits until the screen shows a text so often.
func (s *screen) shows(ctx context.Context, t *testing.T, text string, n int) {
	t.Helper()
	for {
		s.mu.Lock()
		all := s.text.String()
		s.mu.Unlock()
		if strings.Count(all, text) == n {
			return
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			t.Fatalf("the screen shows\n%s\nwant %s %d times", all, text, n)
		}
	}
}

func TestLogsFollowFilesAndStandardInput(t *testing.T) {
	inTrail(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	all := trail(t)
	write(t, "one.log", lines(all[0]))
	r, w := io.Pipe()
	s := &screen{changed: make(chan struct{}, 1)}
	env := &environment{
		in: r, out: s, errOut: s, name: "auditctl", local: time.UTC, now: time.Now, getenv: func(string) string { return "" },
	}
	running, stop := context.WithCancel(ctx)
	code := make(chan int, 1)
	go func() { code <- run(running, env, []string{"logs", "-f", "one.log", "-"}) }()
	s.shows(ctx, t, "credential-issued", 1)
	if _, err := io.WriteString(w, lines(all[1])); err != nil {
		t.Fatal(err)
	}
	s.shows(ctx, t, "egress-block ", 1)
	file, err := os.OpenFile("one.log", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(lines(all[4])); err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	s.shows(ctx, t, "policy-applied", 1)
	if _, err := io.WriteString(w, lines(all[1], all[5])); err != nil {
		t.Fatal(err)
	}
	s.shows(ctx, t, "egress-allow", 1)
	_ = w.Close()
	stop()
	if got := <-code; got != 0 {
		t.Errorf("exit %d", got)
	}
	s.shows(ctx, t, "egress-block ", 1) // the same event again is not printed
	s.shows(ctx, t, "\n", 4)
}
