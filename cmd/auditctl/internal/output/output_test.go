package output_test

import (
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
)

// printed returns what a table of two columns makes of rows.
func printed(t *testing.T, opts output.Options, rows ...[]string) string {
	t.Helper()
	var b strings.Builder
	columns := []output.Column{{Name: "NAME", Min: 5}, {Name: "RUN", Min: 4, Drop: 1}, {Name: "REASON", Min: 6}}
	w, err := output.New(output.Table, &b, columns, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write(output.Row{Cells: row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestATableIsMadeToFit(t *testing.T) {
	row := []string{"abcdefgh", "run-12345", "because it is so"}
	for width, want := range map[int]string{
		0:  "NAME      RUN        REASON\nabcdefgh  run-12345  because it is so\n",
		40: "NAME      RUN        REASON\nabcdefgh  run-12345  because it is so\n",
		30: "NAME      RUN        REASON\nabcdefgh  run-12345  because…\n", // the widest first
		26: "NAME      RUN      REASON\nabcdefgh  run-12…  becaus…\n",
		19: "NAME   RUN   REASON\nabcd…  run…  becau…\n",
		18: "NAME      REASON\nabcdefgh  because…\n", // RUN is left out
		5:  "NAME   REASON\nabcd…  becau…\n",         // as narrow as it gets
	} {
		if got := printed(t, output.Options{Width: width}, row); got != want {
			t.Errorf("width %d:\n%s\nwant\n%s", width, got, want)
		}
	}
}

func TestWideLettersKeepTheColumnsInLine(t *testing.T) {
	got := printed(t, output.Options{}, []string{"東京", "e\u0301", "x"}, []string{"abcd", "r", "y"})
	want := "NAME  RUN  REASON\n東京  e\u0301    x\nabcd  r    y\n"
	if got != want {
		t.Errorf("it prints\n%s\nwant\n%s", got, want)
	}
	if got := printed(t, output.Options{Width: 15}, []string{"東京の実行", "", "x"}); !strings.Contains(got, "東京の…") && !strings.Contains(got, "東京…") {
		t.Errorf("it prints\n%s", got)
	}
}

func TestAnEmptyTableHasNoHeading(t *testing.T) {
	if got := printed(t, output.Options{}); got != "" {
		t.Errorf("it prints %q", got)
	}
}

func TestTimesAreRelativeExactOrShort(t *testing.T) {
	now := time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)
	at := now.Add(-90*time.Minute - time.Nanosecond)
	berlin := time.FixedZone("", 2*60*60)
	for form, want := range map[string]string{
		output.Relative: "90m", output.Exact: "2026-04-25T12:29:59.999999999+02:00", output.Short: "04-25 12:29:59",
	} {
		times := output.Times{Form: form, Zone: berlin, Now: func() time.Time { return now }}
		if got := times.Format(at); got != want {
			t.Errorf("%s: %s, want %s", form, got, want)
		}
	}
	times := output.Times{Form: output.Relative, Now: func() time.Time { return now }}
	if got := times.Format(now.Add(time.Minute)); got != "in 60s" {
		t.Errorf("a minute from now is %s", got)
	}
}
