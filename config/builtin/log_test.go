package builtin_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

// writeConfig writes a configuration with these sinks and returns its path. The component
// proxy writes to the sink named by first.
func writeConfig(t *testing.T, dir, sinks, first string) string {
	t.Helper()
	path := filepath.Join(dir, "audit.yaml")
	text := "apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\nsinks:\n" + sinks +
		"components:\n  proxy: {sink: " + first + ", onFailure: open}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func openTrail(t *testing.T, path string, deps config.Deps) *config.Trail {
	t.Helper()
	trail, err := config.Open(t.Context(), path, builtin.Types(), deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := trail.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return trail
}

func blocked() *v1alpha1.AuditEvent {
	return auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", RunName: "run-7", Host: "evil.example", Port: 443})
}

func TestSIGHUPOpensRenamedLogFileAgain(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "audit.log")
	path := writeConfig(t, dir, "  file: {type: log, path: "+log+"}\n", "file")
	failed := make(chan error, 10)
	trail := openTrail(t, path, config.Deps{
		OnFailure: func(_ context.Context, _ *v1alpha1.AuditEvent, err error) { failed <- err },
	})
	sink := trail.For("proxy")
	for _, act := range []func() error{
		func() error { return nil },
		func() error { return os.WriteFile(path, []byte("bad"), 0o600) }, // rotation goes on beside it
	} {
		if err := sink.Write(t.Context(), blocked()); err != nil {
			t.Fatal(err)
		}
		if err := act(); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(log, log+".1"); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(log); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the log file was not opened again")
			}
		}
		if text, err := os.ReadFile(log + ".1"); err != nil || bytes.Count(text, []byte("\n")) != 1 {
			t.Errorf("the renamed file holds %q, %v", text, err)
		}
	}
	if err := sink.Write(t.Context(), blocked()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(log); err != nil || bytes.Count(text, []byte("\n")) != 1 {
		t.Errorf("the new file holds %q, %v", text, err)
	}
	select {
	case err := <-failed:
		t.Errorf("a write failed: %v", err)
	default:
	}
}

func TestReloadHandsLockOfLogFileOver(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "here")); err != nil {
		t.Fatal(err)
	}
	trail := openTrail(t, writeConfig(t, dir, "  file: {type: log, path: "+dir+"/audit.log}\n", "file"), config.Deps{Static: true})
	for _, sinks := range []string{
		"  file: {type: log, path: " + dir + "/audit.log, maxSizeMB: 7}\n",
		"  file: {type: log, path: " + dir + "/here/audit.log, maxSizeMB: 7}\n",
		"  file: {type: log, path: " + dir + "/audit.log, fsync: true}\n",
	} {
		writeConfig(t, dir, sinks, "file")
		if err := trail.Reload(t.Context()); err != nil {
			t.Errorf("%s: %v", sinks, err)
		}
		if err := trail.For("proxy").Write(t.Context(), blocked()); err != nil {
			t.Error(err)
		}
	}
}

func TestTwoSinksOnOneFileThroughLinksAreRefused(t *testing.T) {
	dir := t.TempDir()
	for link, target := range map[string]string{"here": ".", "link.log": "audit.log", "spool2": "spool"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, second := range []string{"audit.log", "./audit.log", "here/audit.log", "link.log", "here/link.log"} {
		path := writeConfig(t, dir, "  a: {type: log, path: "+dir+"/audit.log}\n  b: {type: log, path: "+dir+"/"+second+"}\n"+
			"  both: {type: multi, next: [a, b]}\n", "both")
		refused(t, path, second)
	}
	refused(t, writeConfig(t, dir, "  log: {type: log, path: "+dir+"/audit.log}\n  a: {type: spool, dir: "+dir+"/spool, next: log}\n"+
		"  b: {type: spool, dir: "+dir+"/here/spool2, next: log}\n  both: {type: multi, next: [a, b]}\n", "both"), "spool")
}

func refused(t *testing.T, path, second string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse(path, data, builtin.Types()); err == nil || !strings.Contains(err.Error(), "uses what the sink") {
		t.Errorf("the second sink on %s gave %v", second, err)
	}
}
