package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/verify"
)

// session is a block of a page with commands and what they print.
var session = regexp.MustCompile("(?s)```console\n(.*?)```")

func TestTheDocsShowWhatAuditctlPrints(t *testing.T) {
	page := absolute(t, "../../docs/auditctl.md")
	inTrail(t)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if configuration, err := os.ReadFile("audit.yaml"); err != nil || !strings.Contains(string(text), "```yaml\n"+string(configuration)+"```") {
		t.Errorf("the docs show another audit.yaml: %v", err)
	}
	compareDocs(t, page, noon.Add(25*time.Minute))
}

func TestTheControlsShowWhatAuditctlPrints(t *testing.T) {
	page := absolute(t, "../../docs/controls.md")
	inTrail(t)
	write(t, "weak.yaml", "apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\n"+
		"sinks:\n  screen: {type: log, path: stderr}\ncomponents:\n  broker: {sink: screen, onFailure: closed}\n")
	compareDocs(t, page, noon.Add(25*time.Minute))
}

func TestTheTrustInTheDocsIsValid(t *testing.T) {
	text, err := os.ReadFile("../../docs/auditctl.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```yaml\nkeys:")
	block, _, _ = strings.Cut(block, "```")
	if trust, err := verify.ParseTrust([]byte("keys:" + block)); err != nil || len(trust.Issuers) != 1 {
		t.Errorf("%v in\n%s", err, block)
	}
}

func TestTheIncidentInTheDocsIsReal(t *testing.T) {
	page := absolute(t, "../../docs/reading.md")
	t.Chdir(t.TempDir())
	writeIncident(t)
	compareDocs(t, page, incidentNow)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// compareDocs runs the commands that a page shows, at a time, and compares what they print.
func compareDocs(t *testing.T, page string, now time.Time) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, page, rendered(t, string(text), now))
}

// rendered returns a page with what its commands print at a time.
func rendered(t *testing.T, page string, now time.Time) string {
	t.Helper()
	blocks := 0
	got := session.ReplaceAllStringFunc(page, func(block string) string {
		blocks++
		var b strings.Builder
		b.WriteString("```console\n")
		for line := range strings.Lines(block) {
			if command, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "$ "); ok {
				b.WriteString(line)
				b.WriteString(documented(t, command, now))
			}
		}
		return b.String() + "```"
	})
	if blocks == 0 {
		t.Fatal("the page shows nothing")
	}
	return got
}

// documented returns what a command prints in a terminal of 120 columns without colours. The
// command is sed, or auditctl, maybe with files from cat on its standard input or with its output or errors in a file.
func documented(t *testing.T, command string, now time.Time) string {
	t.Helper()
	if strings.HasPrefix(command, "sed ") {
		return sedOf(t, command)
	}
	env := &environment{
		terminal: true, width: 120, now: func() time.Time { return now },
		getenv: func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] },
	}
	if files, rest, piped := strings.Cut(command, " | "); piped {
		env.in, command = strings.NewReader(concatenated(t, files)), rest
	}
	command, errorsInto, _ := strings.Cut(command, " 2> ")
	command, into, _ := strings.Cut(command, " > ")
	env.terminal = into == ""
	args, ok := strings.CutPrefix(command, "auditctl ")
	if !ok {
		t.Fatalf("%s is not auditctl", command)
	}
	_, out, errOut := auditctlIn(t, env, arguments(args)...)
	if errorsInto != "" {
		write(t, errorsInto, errOut)
		errOut = ""
	}
	if into != "" {
		write(t, into, out)
		out = ""
	}
	return out + errOut
}

// arguments splits the arguments of a command as a shell does.
func arguments(text string) (list []string) {
	for i, part := range strings.Split(text, "'") {
		if i%2 == 1 { // within quotes
			list = append(list, part)
		} else {
			list = append(list, strings.Fields(part)...)
		}
	}
	return list
}

// concatenated returns what a command cat FILE... prints.
func concatenated(t *testing.T, command string) string {
	t.Helper()
	files, ok := strings.CutPrefix(command, "cat ")
	if !ok {
		t.Fatalf("%s is not cat", command)
	}
	var all strings.Builder
	for file := range strings.FieldsSeq(files) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
