// Package reading_test measures how long it takes to find a few events in a large log file, by whole processes: auditctl
// beside grep and jq.
package reading_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/sinks/log"
)

// query is something that is looked for in the log, by each peer in its own way.
type query struct {
	name     string
	auditctl []string // arguments
	peer     []string // command
	takes    func(line int) bool
}

var queries = []query{
	{
		name: "grep", auditctl: []string{"--grep", "host-0.example.com"}, peer: []string{"grep", "-F", "host-0.example.com"},
		takes: func(line int) bool { return line%200 == 0 },
	},
	{
		name: "denied-where", auditctl: []string{"--decision", "denied", "--where", "event.spec.destination.port > 4500"},
		peer:  []string{"jq", "-c", `select(.spec.decision == "denied" and .spec.destination.port > 4500)`},
		takes: func(line int) bool { return denied(line) && port(line) > 4500 },
	},
	{
		name: "where", auditctl: []string{"--where", "event.spec.destination.port == 22"},
		peer: []string{"jq", "-c", "select(.spec.destination.port == 22)"}, takes: func(line int) bool { return port(line) == 22 },
	},
}

func denied(line int) bool { return line%200 == 0 }

func port(line int) int { return 9000 - line%9000 }

// BenchmarkReading reads a log of as many lines as -benchtime Nx says. Time is for a line, and that of a whole process.
func BenchmarkReading(b *testing.B) {
	auditctl := build(b)
	logs := map[int]string{} // by their lines
	for _, q := range queries {
		peers := [][]string{
			append([]string{"ours", auditctl, "get", "-o", "ndjson"}, q.auditctl...), append(q.peer[:1:1], q.peer...),
		}
		for i := range peers {
			p := peers[(bench.Round()+i)%len(peers)]
			b.Run("query="+q.name+"/peer="+p[0], func(sub *testing.B) {
				if logs[sub.N] == "" {
					logs[sub.N] = writeLog(b, sub.N)
				}
				q.measure(sub, append(p[1:len(p):len(p)], logs[sub.N]))
			})
		}
	}
}

// measure runs a command once, and looks at the rows that it prints.
func (q query) measure(b *testing.B, command []string) {
	found := filepath.Join(b.TempDir(), "rows")
	out, err := os.Create(found)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), command[0], command[1:]...)
	var complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &complaint
	b.ResetTimer()
	err = cmd.Run()
	b.StopTimer()
	if err := errors.Join(err, out.Close()); err != nil {
		b.Fatalf("%v: %s", err, &complaint)
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/op")
	var want []string
	for line := range b.N {
		if q.takes(line) {
			want = append(want, name(line))
		}
	}
	if got := names(b, found); !slices.Equal(got, want) {
		b.Fatalf("%s found %d events, want %d, or others than those", command[0], len(got), len(want))
	}
}

// build makes the binary of auditctl, in the library's own module, with the versions that its go.mod names.
func build(b *testing.B) string {
	binary := filepath.Join(b.TempDir(), "auditctl")
	cmd := exec.CommandContext(b.Context(), "go", "build", "-o", binary, "./cmd/auditctl")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("building auditctl: %v\n%s", err, out)
	}
	return binary
}

func name(line int) string { return fmt.Sprintf("ae-%08d", line) }

// writeLog writes a log of lines of about 660 bytes, of which few match any query.
func writeLog(b *testing.B, lines int) string {
	path := filepath.Join(bench.Dir(b), "audit.log")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	buffered := bufio.NewWriterSize(file, 1<<20)
	sink, err := log.NewWriter(buffered, log.Options{Component: bench.Component})
	if err != nil {
		b.Fatal(err)
	}
	from := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for line := range lines {
		decision := v1alpha1.AuditDecisionGranted
		if denied(line) {
			decision = v1alpha1.AuditDecisionDenied
		}
		ae := auditing.NewEvent(auditing.EventInput{
			Kind: v1alpha1.AuditKindEgressAllow, Decision: decision, Namespace: bench.Namespace, RunName: "hr-1",
			Host: bench.Host, Port: port(line), When: from.Add(time.Duration(line) * time.Millisecond),
			Reason: fmt.Sprintf("host host-%d.example.com is matched by rule %d of the policy", line%200, line%77),
		})
		ae.Name = name(line)
		if err := sink.Write(b.Context(), ae); err != nil {
			b.Fatal(err)
		}
	}
	// Synced, so that no command competes with the system for the disk.
	if err := errors.Join(buffered.Flush(), file.Sync(), file.Close()); err != nil {
		b.Fatal(err)
	}
	return path
}

// names are those of the events in a file, one a line.
func names(b *testing.B, path string) (all []string) {
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var event struct {
			Metadata struct{ Name string }
		}
		if err := json.Unmarshal(line, &event); err != nil {
			b.Fatalf("%s: %v", line, err)
		}
		all = append(all, event.Metadata.Name)
	}
	return all
}
