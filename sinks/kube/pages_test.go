package kube_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/pages"
)

// The page measures for long; here each of its benchmarks creates one event.
func TestBenchmarksOfThePageRun(t *testing.T) {
	commands, err := pages.Of("../..", "docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var patterns []string
	for _, c := range commands {
		if c.Block != pages.Indented {
			continue
		}
		_, pattern, _ := strings.Cut(c.Text, "go test -run '^$' -bench ")
		pattern, rest, _ := strings.Cut(pattern, " -benchtime ")
		if !strings.HasSuffix(rest, "x ./sinks/kube") || pattern == "" {
			t.Fatalf("%s: this test runs only go test -run '^$' -bench PATTERN -benchtime COUNTx ./sinks/kube", c)
		}
		patterns = append(patterns, pattern)
	}
	if len(patterns) < 3 {
		t.Fatalf("the page has the benchmarks %q, want three", patterns)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), self, "-test.run=^$", "-test.bench="+strings.Join(patterns, "|"), "-test.benchtime=1x").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, pattern := range patterns {
		if !strings.Contains(string(out), "\nBenchmark"+pattern) {
			t.Errorf("there is no benchmark %s in\n%s", pattern, out)
		}
	}
}
