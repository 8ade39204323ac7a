package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/multi"
)

const logFile = "audit.log" // in the working directory

// places are an API server, VictoriaLogs, Loki and a log file.
type places struct {
	kube       *testenv.Kube
	vl         *testenv.VictoriaLogs
	loki       *testenv.Loki
	client     client.Client
	namespaces []string
	flags      []string // of auditctl
}

// startPlaces starts the servers. Loki takes events as late as it does by default, at a
// higher rate.
func startPlaces(t *testing.T) *places {
	t.Helper()
	testenv.NeedsOwnLoki(t)
	p := &places{kube: testenv.SharedKube(t), vl: testenv.SharedVictoriaLogs(t)}
	p.loki = testenv.NewLoki(t, testenv.LokiOptions{ProductionLimits: true, Limits: map[string]any{
		"ingestion_rate_mb": 1024, "ingestion_burst_size_mb": 1024, "per_stream_rate_limit": "1GB", "per_stream_rate_limit_burst": "1GB",
	}})
	var kubeconfig string
	p.client, kubeconfig = clientOf(t, p.kube)
	p.namespaces = []string{p.kube.Namespace(t), p.kube.Namespace(t)}
	p.flags = []string{
		"--kubeconfig", kubeconfig, "--victorialogs", p.vl.URL, "--loki", p.loki.URL, "-n", strings.Join(p.namespaces, ","),
	}
	return p
}

// scaleEvents returns n events of the last half hour, not in the order of time. A quarter of
// them has one and the same time. Of each hundred, one is older than the head of its stream
// may be in Loki, one is older than the servers take, and one comes from the future.
func scaleEvents(namespaces []string, n int) []*v1alpha1.AuditEvent {
	all := make([]*v1alpha1.AuditEvent, n)
	now := time.Now()
	for i := range all {
		when := now.Add(-time.Duration(1+i*7919%n) * 30 * time.Minute / time.Duration(n))
		switch {
		case i%100 == 50:
			when = now.Add(-3*time.Hour - time.Duration(i))
		case i%100 == 60:
			when = now.Add(-10*24*time.Hour - time.Duration(i))
		case i%100 == 70:
			when = now.Add(20*time.Minute + time.Duration(i))
		case i%4 == 1:
			when = now.Add(-15 * time.Minute)
		}
		all[i] = auditing.NewEgressBlock(auditing.EgressInput{
			Namespace: namespaces[i%7%2], RunName: fmt.Sprint("run-", i%50), Host: fmt.Sprintf("host-%d.example.com", i%200), Port: 443,
			Reason: fmt.Sprintf("number %d", i), When: when,
		})
		all[i].Spec.Detail = map[string]string{"sni": strings.Repeat("long-name.", 70)}
		all[i].Name = fmt.Sprintf("ae-%06d", n-i) // the order of names is not that of times
	}
	return all
}

// writeScale writes the events to all places, the first half of them to a log whose backups
// are compressed, and every tenth twice, the late ones among them.
func writeScale(t *testing.T, p *places, all []*v1alpha1.AuditEvent) {
	t.Helper()
	half := len(all) / 2
	p.write(t, true, all[:half])
	second := all[half:]
	for i := 0; i < len(all); i += 10 {
		second = append(second[:len(second):len(second)], all[i])
	}
	p.write(t, false, second)
	if _, err := p.vl.Query(t.Context(), "", "*", time.Now(), time.Now()); err != nil { // it flushes
		t.Fatal(err)
	}
}

func (p *places) write(t *testing.T, compress bool, events []*v1alpha1.AuditEvent) {
	t.Helper()
	var errs []error
	made := func(s auditing.Sink, err error) auditing.Sink {
		errs = append(errs, err)
		return s
	}
	children := []multi.Child{
		{Name: "kube", Sink: kube.Sink{Client: p.client}},
		{Name: "vl", Sink: made(loki.New(p.vl.URL+"/insert", loki.Options{Server: loki.ServerVictoriaLogs, Oldest: 30 * 24 * time.Hour}))},
		{Name: "loki", Sink: made(loki.New(p.loki.URL, loki.Options{}))},
		{Name: "log", Sink: made(log.NewFile(logFile, log.FileOptions{MaxSizeMB: 1, Compress: compress}))},
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	sink, err := multi.New(children, multi.Options{Component: "proxy"})
	if err != nil {
		t.Fatal(err)
	}
	writing, ctx := errgroup.WithContext(t.Context())
	writing.SetLimit(64)
	for _, ae := range events {
		writing.Go(func() error { return sink.Write(ctx, ae) })
	}
	err = writing.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if err := errors.Join(err, sink.Close(ctx)); err != nil {
		t.Fatal(err)
	}
}

// remove deletes events from the API server.
func (p *places) remove(t *testing.T, events []*v1alpha1.AuditEvent) {
	t.Helper()
	deleting, ctx := errgroup.WithContext(t.Context())
	deleting.SetLimit(16)
	for _, ae := range events {
		deleting.Go(func() error { return p.client.Delete(ctx, ae.DeepCopy()) })
	}
	if err := deleting.Wait(); err != nil {
		t.Fatal(err)
	}
}

// edit changes the reason of events in the log and its backups, some of them compressed.
func (p *places) edit(t *testing.T, events []*v1alpha1.AuditEvent) {
	t.Helper()
	backups, err := filepath.Glob("audit-*.log*")
	if err != nil {
		t.Fatal(err)
	}
	edited, packed, plain := 0, 0, 0
	for _, path := range append(backups, logFile) {
		text := readLog(t, path)
		before := edited
		for _, ae := range events {
			old := []byte(`"reason":"` + ae.Spec.Reason + `"`)
			edited += bytes.Count(text, old)
			text = bytes.ReplaceAll(text, old, []byte(`"reason":"edited"`))
		}
		if strings.HasSuffix(path, ".gz") {
			packed++
		} else {
			plain++
		}
		if edited > before {
			writeLog(t, path, text)
		}
	}
	if edited != len(events) || packed == 0 || plain < 2 {
		t.Fatalf("%d lines are edited in %d compressed files and %d others, want %d", edited, packed, plain, len(events))
	}
}

func readLog(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil && strings.HasSuffix(path, ".gz") {
		var unpacked *gzip.Reader
		if unpacked, err = gzip.NewReader(bytes.NewReader(text)); err == nil {
			text, err = io.ReadAll(unpacked)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func writeLog(t *testing.T, path string, text []byte) {
	t.Helper()
	if strings.HasSuffix(path, ".gz") {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(text) // Close returns the error
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		text = packed.Bytes()
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// resident matches what /proc tells of a process's memory, in kB: its largest size so far, and
// what is not from files now.
var resident = regexp.MustCompile(`(?s)VmHWM:\s+(\d+) kB.*RssAnon:\s+(\d+) kB`)

// measured runs auditctl. It returns the most memory that the process had of its own, and with
// the pages of its program file, both in bytes; 0 where the system has no /proc.
func measured(t *testing.T, binary string, args ...string) (code int, out string, own, whole uint64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if m := resident.FindSubmatch(status); m != nil {
			kb := func(text []byte) uint64 { n, _ := strconv.ParseUint(string(text), 10, 54); return n << 10 }
			own, whole = max(own, kb(m[2])), max(whole, kb(m[1]))
		}
		select {
		case err := <-done:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if e.Len() > 0 {
				t.Errorf("auditctl says: %.2000s", e.String())
			}
			return cmd.ProcessState.ExitCode(), o.String(), own, whole
		case <-tick.C:
		}
	}
}
