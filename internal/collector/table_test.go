package collector_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The table in the docs stands between these lines.
const (
	tableBegins = "<!-- measured by TestCheckSaysWhatARealCollectorDoes in internal/collector -->\n"
	tableEnds   = "<!-- end -->\n"
)

// compareTable compares a table with the one in a page.
func compareTable(t *testing.T, page string, table [][]string) {
	t.Helper()
	var b strings.Builder
	for i, line := range table {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("| --- ", len(line)) + "|\n")
		}
	}
	text, err := os.ReadFile(page)
	must(t, err)
	before, rest, ok := strings.Cut(string(text), tableBegins)
	is, after, ended := strings.Cut(rest, tableEnds)
	switch {
	case !ok || !ended:
		t.Fatalf("%s has no place for the table", page)
	case *update:
		must(t, os.WriteFile(page, []byte(before+tableBegins+b.String()+tableEnds+after), 0o600))
	case is != b.String():
		t.Errorf("%s has another table; -update writes it. Measured was\n%s", page, b.String())
	}
}
