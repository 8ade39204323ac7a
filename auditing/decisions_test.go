package auditing_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const decisions = "../docs/adr/"

var (
	// decision is the head of a page in docs/adr.
	decision = regexp.MustCompile(`^# (\d{4}): (.+)\n\n- Status: (.+)\n- Date: (\S+)\n\n`)
	status   = regexp.MustCompile(`^(?:accepted|replaced by \[(\d{4})\]\((.+)\))$`)
)

func TestEachDecisionHasStatusAndDateAsInTheIndex(t *testing.T) {
	index := mustRead(t, decisions+"README.md")
	_, rows, found := strings.Cut(index, "| page | decision | status | date |\n| --- | --- | --- | --- |\n")
	if !found {
		t.Fatal("the index has no table with status and date")
	}
	pages, err := filepath.Glob(decisions + "[0-9]*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	var want strings.Builder
	for _, path := range pages {
		name := filepath.Base(path)
		head := decision.FindStringSubmatch(mustRead(t, path))
		if len(head) == 0 || !strings.HasPrefix(name, head[1]+"-") {
			t.Errorf("%s does not begin with its number, title, status and date", name)
			continue
		}
		checkHead(t, name, head[3], head[4])
		want.WriteString("| [" + head[1] + "](" + name + ") | " + strings.Join(head[2:], " | ") + " |\n")
	}
	if rows != want.String() {
		t.Errorf("the index has\n%s\nand the pages say\n%s", rows, want.String())
	}
}

// checkHead tests the status and the date of a page.
func checkHead(t *testing.T, name, stands, date string) {
	t.Helper()
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		t.Errorf("%s: the date is no day: %v", name, err)
	}
	is := status.FindStringSubmatch(stands)
	switch {
	case is == nil:
		t.Errorf("%s: the status is %q, want accepted or replaced by another page", name, stands)
	case is[1] == "":
	case !strings.HasPrefix(is[2], is[1]+"-") || is[2] <= name:
		t.Errorf("%s is replaced by %s at %s, which is no later page of that number", name, is[1], is[2])
	default:
		mustRead(t, decisions+is[2])
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
