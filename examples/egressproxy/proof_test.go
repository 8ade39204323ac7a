package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/verify"
)

func TestTheDemoLeavesATrailThatIsIntact(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "proof")
	var out strings.Builder
	if err := demo(t.Context(), &out, options{sink: "log", proof: dir}); err != nil {
		t.Fatal(err)
	}
	if want := "verify --trust " + filepath.Join(dir, "trust.yaml"); !strings.Contains(out.String(), want) || strings.Contains(out.String(), "trail-opened") {
		t.Errorf("the demo says\n%s\nwant %s, and no checkpoints", out.String(), want)
	}
	trust, err := verify.LoadTrust(filepath.Join(dir, "trust.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	v := verify.New(trust, verify.Options{})
	if err := v.Read(t.Context(), reading.Files("files", filepath.Join(dir, "audit.log"))); err != nil {
		t.Fatal(err)
	}
	r := v.Report()
	if r.Verdict != verify.Intact || len(r.Trails) != 1 || !r.Trails[0].Closed || len(r.Findings) != 0 {
		t.Errorf("verdict %s, trails %+v, findings %+v", r.Verdict, r.Trails, r.Findings)
	}
	if err := demo(context.Background(), io.Discard, options{sink: "log", proof: dir}); err == nil || !strings.Contains(err.Error(), "name an empty folder") {
		t.Errorf("the same folder again: %v", err)
	}
}

func TestProofOfTheDemoIsALogFile(t *testing.T) {
	if err := demo(t.Context(), io.Discard, options{sink: "kube", proof: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "-proof leaves a log file") {
		t.Errorf("demo: %v", err)
	}
}

func TestProofScriptFindsEachChange(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "./proof.sh").CombinedOutput()
	if err != nil || strings.Count(string(out), "\n== ") != 6 {
		t.Errorf("proof.sh: %v\n%s", err, out)
	}
	page, err := os.ReadFile("../../docs/proof.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```text\n\\$ auditctl [^\n]*\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	for _, block := range blocks {
		if !strings.Contains(ofAnyTime(string(out)), ofAnyTime(block[1])) {
			t.Errorf("docs/proof.md shows\n%s\nwhich proof.sh does not print:\n%s", ofAnyTime(block[1]), ofAnyTime(string(out)))
		}
	}
	if len(blocks) != 4 {
		t.Errorf("docs/proof.md shows %d commands, want 4", len(blocks))
	}
}

var (
	ids     = regexp.MustCompile(`(?i)01[0-9A-HJKMNP-TV-Z]{24}`)
	times   = regexp.MustCompile(`20\d\d-[0-9T:.-]+Z`)
	folders = regexp.MustCompile(`\(/\S*/`)
	spaces  = regexp.MustCompile(` +`)
)

// ofAnyTime takes out of a report what differs from run to run.
func ofAnyTime(report string) string {
	report = times.ReplaceAllString(ids.ReplaceAllString(report, "ID"), "TIME")
	return spaces.ReplaceAllString(folders.ReplaceAllString(report, "("), " ")
}
