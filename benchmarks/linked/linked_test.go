// Package linked_test measures what a program links with each destination.
package linked_test

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkLinked builds each program and reports the size of its binary without symbols, and how many modules are in
// it. It is built in the library's own module, with the versions that its go.mod names, not in this one, where peers
// raise them. There is nothing to repeat: the first result stands.
func BenchmarkLinked(b *testing.B) {
	for _, program := range []string{"empty", "zap", "log", "loki", "kube-client", "kube", "all"} {
		b.Run("program="+program, func(b *testing.B) {
			size, modules := build(b, program)
			b.ReportMetric(0, "ns/op") // time says nothing here
			b.ReportMetric(size, "size-B")
			b.ReportMetric(modules, "modules")
		})
	}
}

func build(b *testing.B, program string) (size, modules float64) {
	b.Helper()
	source, err := filepath.Abs(filepath.Join("programs", program, "main.go"))
	if err != nil {
		b.Fatal(err)
	}
	binary := filepath.Join(b.TempDir(), program)
	cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, source)
	cmd.Dir = filepath.Join("..", "..") // the library's module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("building %s: %v\n%s", program, err, out)
	}
	file, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		b.Fatal(err)
	}
	return float64(file.Size()), float64(len(info.Deps))
}
