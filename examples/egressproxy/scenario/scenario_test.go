package scenario

import (
	"os"
	"strings"
	"testing"
)

func TestLogFileShowsDecisionsAndThenTheOutage(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dest, err := LogFile()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Run(t.Context(), &out, dest); err != nil {
		t.Fatal(err)
	}
	rest := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"169.254.169.254/latest/meta-data/iam 403 Forbidden",
		"read back from the log file",
		"DENIED egress-block 169.254.169.254:80",
		"granted egress-allow 127.0.0.1:",
		`"decision": "denied"`,
		"The same proxy after its log was closed",
		"169.254.169.254/latest/meta-data/iam 502 Bad Gateway",
		"/hello 200 OK",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%q is missing, or is not in its place, in:\n%s", want, out.String())
		}
		rest = after
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) != 0 {
		t.Errorf("Stop left %v, %v", left, err)
	}
}
