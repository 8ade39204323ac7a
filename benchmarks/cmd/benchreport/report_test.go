package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sampleResults is a question's file with ten rounds of two peers, of which the second is 10% slower and loses 5 of
// 100 events each time.
func sampleResults() string {
	var b strings.Builder
	b.WriteString("goos: linux\nmachine: 2 cores\ndate: today\nmodules: go.uber.org/zap@v1.0.0\n")
	for round := range 10 {
		noise := string(rune('0' + round))
		b.WriteString("\nround: " + noise + "\n" +
			"BenchmarkLogFile/event=credential/peer=ours-2 100 1000" + noise + " ns/op 2000 cpu-ns/op 1 events/s 0 lost 400 B/op 3 allocs/op\n" +
			"BenchmarkLogFile/event=credential/peer=zap-core-2 100 1100" + noise + " ns/op 2000 cpu-ns/op 1 events/s 5 lost 0 B/op 0 allocs/op\n")
	}
	return b.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestThePageHoldsMediansSpreadsRatiosAndLosses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "results", "logfile.txt"), sampleResults())
	write(t, filepath.Join(dir, "README.md"), "before\n"+readmeBegin+"\nold\n"+readmeEnd+"\nafter\n")
	if err := renderAll(filepath.Join(dir, "results"), dir); err != nil {
		t.Fatal(err)
	}
	for file, parts := range map[string][]string{
		"docs/benchmarks.md": {
			"Measured on today: 2 cores", "go.uber.org/zap v1.0.0", "| **this library** | 10 µs | 0% |",
			"| zap core, ready-made line | 11 µs |", "| 1.10 |", "| **5.0%** |",
			"A new event takes at most 1.25 of bare zap: **met**. 0.909 (credential)",
		},
		"docs/benchmarks/logfile.svg": {"<svg", "zap core"},
		"docs/benchmarks/glance.svg":  {"<svg", "a log file"},
		"README.md":                   {"before\n" + readmeBegin, "| a log file | **10 µs** | zap core, ready-made line, 11 µs | 0.91 |", readmeEnd + "\nafter\n"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s does not hold %q:\n%s", file, part, text)
			}
		}
		if strings.Contains(string(text), "old") && file == "README.md" {
			t.Errorf("%s still holds the old table:\n%s", file, text)
		}
	}
}

func TestAQuestionMeasuredByItselfSaysWhen(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "results", "reading.txt"), "date: yesterday\ncommit: 1234567\n\nround: 1\n"+
		"BenchmarkReading/query=grep/peer=ours-2 1000000 600 ns/op 700 cpu-ns/op\n"+
		"BenchmarkReading/query=grep/peer=grep-2 1000000 240 ns/op 230 cpu-ns/op\n")
	write(t, filepath.Join(dir, "results", "linked.txt"), "date: today\n\nBenchmarkLinked/program=empty-2 1 100 size-B 0 modules\n")
	write(t, filepath.Join(dir, "README.md"), readmeBegin+"\n"+readmeEnd)
	if err := renderAll(filepath.Join(dir, "results"), dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "docs", "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"Measured on today", "Measured by itself on yesterday", "commit 1234567.", "**met**. 2.5 (grep)", "**missed**. 3.04 (grep)",
		"| grep | **this library** | 600 ms |", "| grep | grep | 240 ms |  | 0.40 | 4,166,667 | 230 ms | 1 |",
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the page does not hold %q:\n%s", part, text)
		}
	}
}

func TestAnAimIsMissedWhereItsBoundIsPassed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logfile.txt")
	write(t, path, sampleResults())
	r, err := read(path)
	if err != nil {
		t.Fatal(err)
	}
	in := []map[string]string{{"event": "credential"}}
	for _, c := range []struct {
		aim  aim
		want string
	}{
		{aim{unit: unitTime, of: "zap-core", by: ours, bound: 1.05, in: in}, "**missed**. 1.1 "},
		{aim{unit: unitTime, of: "zap-core", by: ours, bound: 1.05, atLeast: true, in: in}, "**met**. 1.1 "},
		{aim{unit: unitTime, of: "zap-core", by: ours, bound: 3000, minus: true, in: in}, "**met**. 1 µs "},
		{aim{unit: unitTime, of: "slog", by: ours, bound: 1, in: in}, "**not measured**"},
	} {
		if got := c.aim.judge(r); !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q in it", got, c.want)
		}
	}
}

func TestResultsOfAnUnknownPeerAreRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "logfile.txt"), strings.ReplaceAll(sampleResults(), "zap-core", "zzap"))
	if err := renderAll(dir, dir); err == nil || !strings.Contains(err.Error(), `"zzap"`) {
		t.Errorf("got %v, want an error that names the peer", err)
	}
}

func TestAReadmeWithoutMarkersIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "results", "logfile.txt"), sampleResults())
	write(t, filepath.Join(dir, "README.md"), "text")
	if err := renderAll(filepath.Join(dir, "results"), dir); err == nil {
		t.Error("no error")
	}
	if text, err := os.ReadFile(filepath.Join(dir, "README.md")); err != nil || string(text) != "text" {
		t.Errorf("README.md holds %q, %v", text, err)
	}
}
