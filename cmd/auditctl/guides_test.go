package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestGuidesShowWhatTheirCommandsPrint(t *testing.T) {
	for _, page := range []string{"chain", "outage", "volume", "proof"} {
		t.Run(page, func(t *testing.T) {
			path := absolute(t, "../../docs/guides/"+page+".md")
			t.Chdir(t.TempDir())
			compareGuide(t, path)
		})
	}
}

func TestGuideToAnIncidentShowsWhatAuditctlPrints(t *testing.T) {
	page := absolute(t, "../../docs/guides/incident.md")
	t.Chdir(t.TempDir())
	writeIncident(t)
	compareDocs(t, page, incidentNow)
}

// compareGuide writes the files that a guide shows, and compares what its commands print, but for what differs from run to
// run.
func compareGuide(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, file := range shownFiles.FindAllStringSubmatch(page, -1) {
		write(t, file[1], file[2])
	}
	got := rendered(t, page, time.Now())
	switch {
	case ofAnyRun(got) == ofAnyRun(page):
	case *update:
		compare(t, path, got)
	default:
		printed, wanted := strings.Split(got, "\n"), strings.Split(page, "\n")
		for i := range min(len(printed), len(wanted)) {
			if ofAnyRun(printed[i]) != ofAnyRun(wanted[i]) {
				t.Fatalf("line %d is\n%s\nand the page has\n%s", i+1, printed[i], wanted[i])
			}
		}
		t.Errorf("it has %d lines, and the page has %d", len(printed), len(wanted))
	}
}

// shownFiles are the files that a guide shows, whose first line is a comment with their name.
var shownFiles = regexp.MustCompile("(?s)```yaml\n# ([a-z.]+)\n(.*?)```")

// varying is what differs from run to run: identifiers, times, keys, sizes with them, how long something took, and which of two
// lines of a log that are written at once comes first.
var varying = regexp.MustCompile(`(?i)01[0-9A-HJKMNP-TV-Z]{24}|20\d\d-[0-9T:.-]+Z|\b\d\d-\d\d \d\d:\d\d:\d\d\b|` +
	`\+[0-9a-f]{8}\+[0-9A-Za-z+/=]+|\b[1-9]\d* bytes|\b\d+m?s\b( ago)?|\.log:\d`)

// ofAnyRun returns a page without that.
func ofAnyRun(page string) string { return varying.ReplaceAllString(page, "…") }

// sedOf returns what a command sed prints.
func sedOf(t *testing.T, command string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-ec", command).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

func TestGuidesAreComparedButForWhatVaries(t *testing.T) {
	one := "event a/ae-01m8cec2d76kaabf311arwmydm-proxy durable in 2ms at 2026-11-26T17:27:38.1Z prod+19d01014+AW4z3/+= (1s ago), 530 bytes"
	other := "event a/ae-01m8ceak4254wq7xdvjnp0xght-proxy durable in 15ms at 2026-11-27T17:27:38Z prod+19d0ab14+AX4z3/+= (3s ago), 28 bytes"
	if ofAnyRun(one) != ofAnyRun(other) {
		t.Errorf("%s\nis not\n%s", ofAnyRun(one), ofAnyRun(other))
	}
	if wrong := strings.Replace(other, "durable", "accepted", 1); ofAnyRun(one) == ofAnyRun(wrong) {
		t.Error("another level is no difference")
	}
}
