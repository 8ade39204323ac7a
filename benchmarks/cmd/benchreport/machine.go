package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// The configuration lines of a results file that describe where and with what it was measured.
const (
	keyMachine = "machine"
	keySystem  = "system"
	keyDate    = "date"
	keyLoad    = "load"
	keyCommit  = "commit"
	keyGo      = "go"
	keyModules = "modules"
)

// compared are the modules whose versions are named; what is not a dependency of this module is left out.
var compared = []string{
	"go.uber.org/zap", "github.com/rs/zerolog", "k8s.io/apiserver", "github.com/hashicorp/eventlogger",
	"github.com/grafana/loki-client-go", "github.com/samber/slog-loki/v3",
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp", "go.opentelemetry.io/otel/sdk/log",
	"sigs.k8s.io/controller-runtime", "k8s.io/client-go", "github.com/samber/slog-multi",
	"github.com/cockroachdb/pebble/v2", "go.etcd.io/bbolt", "github.com/hashicorp/raft-wal", "github.com/tidwall/wal",
}

// servers are the modules that the servers are built from, in go.mod files of the tools.
var servers = map[string]string{
	"k8s.io/kubernetes": "../tools/kube/go.mod", "go.etcd.io/etcd/server/v3": "../tools/kube/go.mod",
	"github.com/VictoriaMetrics/VictoriaLogs": "../tools/victorialogs/go.mod",
}

// describeMachine returns the lines that begin every results file.
func describeMachine(ctx context.Context) (string, error) {
	versions, err := output(ctx, "go", append([]string{"list", "-m", "-f", "{{.Path}}@{{.Version}}"}, compared...)...)
	if err != nil {
		return "", err
	}
	modules := strings.Fields(versions)
	for _, name := range []string{"k8s.io/kubernetes", "go.etcd.io/etcd/server/v3", "github.com/VictoriaMetrics/VictoriaLogs"} {
		text, err := os.ReadFile(servers[name])
		if err != nil {
			return "", err
		}
		found := regexp.MustCompile(`(?m)^\s*(?:require )?` + regexp.QuoteMeta(name) + ` (v\S+)`).FindSubmatch(text)
		if found == nil {
			return "", fmt.Errorf("%s does not require %s", servers[name], name)
		}
		modules = append(modules, name+"@"+string(found[1]))
	}
	var b strings.Builder
	for _, line := range [][2]string{
		{"goos", runtime.GOOS},
		{"goarch", runtime.GOARCH},
		{keyMachine, machine()},
		{keySystem, system()},
		{keyLoad, load()},
		{keyDate, time.Now().UTC().Format("2006-01-02 15:04 MST")},
		{keyCommit, commit(ctx)},
		{keyGo, runtime.Version()},
		{keyModules, strings.Join(modules, " ")},
	} {
		fmt.Fprintf(&b, "%s: %s\n", line[0], line[1])
	}
	return b.String(), nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

const unknown = "unknown"

// first returns the first submatch in a file, as Linux has them in /proc, and unknown elsewhere.
func first(path, pattern string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return unknown
	}
	if found := regexp.MustCompile(pattern).FindSubmatch(text); found != nil {
		return string(found[1])
	}
	return unknown
}

func machine() string {
	memory, _ := strconv.ParseFloat(first("/proc/meminfo", `(?m)^MemTotal:\s*(\d+)`), 64)
	return fmt.Sprintf("%d cores of %s, %.0f GiB of memory", runtime.NumCPU(), first("/proc/cpuinfo", `(?m)^model name\s*: (.*)$`), memory/(1<<20))
}

// load is the average of the last minute before the beginning: what else ran.
func load() string { return first("/proc/loadavg", `^(\S+)`) }

// system names the kernel and the file system that temporary files lie on.
func system() string {
	return fmt.Sprintf("Linux %s, files on %s", first("/proc/sys/kernel/osrelease", `^([0-9.]+)`), fileSystem(os.TempDir()))
}

// fileSystem is the type of the mount with the longest path that holds dir.
func fileSystem(dir string) string {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return unknown
	}
	longest, kind := "", unknown
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || len(fields[1]) < len(longest) {
			continue
		}
		if below, err := filepath.Rel(fields[1], dir); err == nil && filepath.IsLocal(below) {
			longest, kind = fields[1], fields[2]
		}
	}
	return kind
}

// commit is what is measured, marked when the tree has changes beyond it.
func commit(ctx context.Context) string {
	hash, err := output(ctx, "git", "rev-parse", "--short", "HEAD")
	if err != nil {
		return unknown
	}
	changed, err := output(ctx, "git", "status", "--porcelain", "--untracked-files=no", "..")
	if err != nil || changed != "" {
		hash += " with changes"
	}
	return hash
}
