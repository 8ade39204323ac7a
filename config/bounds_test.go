package config_test

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

// lines is how many lines a long file has: enough for a step that compares each line with
// each other line to exceed the bounds of parsed.
const lines = 20000

// parsed returns what a program prints of a file: its problems, or its chains and its
// warnings. It fails when parsing takes more than 20 s of processor time or 1 GB.
func parsed(t *testing.T, text string) (out string, err error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := processorTime(t)
	f, err := config.Parse("audit.yaml", []byte(head+text), builtin.Types())
	if err != nil {
		out = err.Error()
	} else {
		out = f.String() + fmt.Sprint(f.Warnings())
	}
	runtime.ReadMemStats(&after)
	if took, used := processorTime(t)-begin, after.TotalAlloc-before.TotalAlloc; took > 20*time.Second || used > 1<<30 {
		t.Errorf("%d bytes of configuration took %s and %d MB", len(text), took, used>>20)
	}
	return out, err
}

// processorTime returns how long this process has used processors. Unlike the time of day,
// it does not depend on the load of the machine.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// shared returns a chain with this number of levels, whose stages share their children.
func shared(levels int) string {
	var b strings.Builder
	b.WriteString("sinks:\n  l0: {type: log, path: stderr}\n  r0: {type: log, path: stdout}\n")
	for i := range levels {
		for _, side := range "lr" {
			fmt.Fprintf(&b, "  %c%d: {type: multi, next: [l%d, r%d]}\n", side, i+1, i, i)
		}
	}
	fmt.Fprintf(&b, "components: {broker: {sink: l%d, onFailure: open}}\n", levels)
	return b.String()
}

func TestChainsThatShareChildrenPrintBounded(t *testing.T) {
	for _, levels := range []int{12, 16, 20} {
		out, err := parsed(t, shared(levels))
		var bad *config.FileError
		if !errors.As(err, &bad) || len(out) > 32<<10 || !strings.Contains(out, "the chain") {
			t.Errorf("%d levels: %d bytes: %.200s", levels, len(out), out)
		}
	}
	if _, err := parsed(t, shared(4)); err != nil {
		t.Errorf("4 levels: %v", err)
	}
}

func TestChainMayHave256Sinks(t *testing.T) {
	for length, want := range map[int]bool{256: true, 257: false, 5000: false} {
		var b strings.Builder
		b.WriteString("sinks:\n  s1: {type: log, path: stderr}\n")
		for i := 2; i <= length; i++ {
			fmt.Fprintf(&b, "  s%d: {type: retry, next: s%d}\n", i, i-1)
		}
		fmt.Fprintf(&b, "components: {broker: {sink: s%d, onFailure: open}}\n", length)
		if out, err := parsed(t, b.String()); (err == nil) != want || len(out) > 32<<10 || err != nil && !strings.Contains(out, "one behind the other") {
			t.Errorf("%d sinks: %d bytes: %.200s", length, len(out), out)
		}
	}
}

func TestOnlyFirstHundredProblemsAreKept(t *testing.T) {
	many := func(format string) string {
		var b strings.Builder
		for i := range lines {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	const end = "\ncomponents: {broker: {sink: s1}}\n"
	for name, text := range map[string]string{
		"unknown keys":       many("k%d: x\n"),
		"keys of a sink":     "sinks:\n  s1:\n    type: log\n    path: stderr\n" + many("    k%d: x\n") + end,
		"unknown sinks":      "sinks:\n" + many("  s%d: {type: retry, next: none}\n") + end,
		"unknown types":      "sinks:\n" + many("  s%d: {type: none}\n") + end,
		"too low a level":    "sinks:\n  s: {type: log, path: stderr}\ncomponents:\n" + many("  c%d: {sink: s}\n"),
		"a circle":           "sinks:\n" + many("  s%d: {type: retry, next: s%[1]d}\n") + end,
		"the same file":      "sinks:\n" + many("  s%d: {type: log, path: x}\n") + end,
		"a secret in a list": "kinds: [" + many("A%d, ") + "x]\n",
	} {
		out, err := parsed(t, text)
		var bad *config.FileError
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		last := bad.Problems[len(bad.Problems)-1]
		if len(bad.Problems) != 101 || !strings.Contains(last.Text, "more") || len(out) > 64<<10 {
			t.Errorf("%s: %d problems in %d bytes, the last is %s", name, len(bad.Problems), len(out), last)
		}
	}
}

func TestOnlyFirstHundredWarningsAreLogged(t *testing.T) {
	var b strings.Builder
	b.WriteString("sinks:\n  s: {type: log, path: stderr}\n")
	for i := range lines {
		fmt.Fprintf(&b, "  s%d: {type: log, path: stderr}\n", i)
	}
	b.WriteString("components: {broker: {sink: s, onFailure: open}}\n")
	var log logBuffer
	opened(t, writeFile(t, b.String()), builtin.Types(), config.Deps{Static: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if logged := strings.Count(log.String(), "\n"); logged != 101 || !strings.Contains(log.String(), "more") {
		t.Errorf("%d lines are logged, want 101", logged)
	}
}

func TestDeepListsAreRefused(t *testing.T) {
	for text, closing := range map[string]string{"[": "]", "{a:": "}"} {
		const depth = 5000
		out, err := parsed(t, "kinds: "+strings.Repeat(text, depth)+"x"+strings.Repeat(closing, depth)+"\n")
		if err == nil || len(out) > 64<<10 {
			t.Errorf("%d bytes: %.200s", len(out), out)
		}
	}
}
