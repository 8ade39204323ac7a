package config_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

// Parse takes any bytes. It returns a file that prints its chains, or problems with a text
// and a line of the file. Parsing again gives the same problems.
func FuzzParse(f *testing.F) {
	files, _ := badFiles(f)
	for _, text := range files {
		f.Add([]byte(text))
	}
	for _, path := range goodFiles(f) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	types := builtin.Types()
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := config.Parse("audit.yaml", data, types)
		if err == nil {
			if file.String() == "" || len(file.Components()) == 0 {
				t.Errorf("a file without chains: %q", file)
			}
			for _, w := range file.Warnings() {
				checkProblem(t, data, w)
			}
			return
		}
		var bad *config.FileError
		if !errors.As(err, &bad) || len(bad.Problems) == 0 {
			t.Fatalf("not a FileError with problems: %v", err)
		}
		for _, p := range bad.Problems {
			checkProblem(t, data, p)
		}
		if _, again := config.Parse("audit.yaml", data, types); again == nil || again.Error() != err.Error() {
			t.Errorf("parsed again:\n%v\nat first:\n%v", again, err)
		}
	})
}

func checkProblem(t *testing.T, data []byte, p config.Problem) {
	t.Helper()
	lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + strings.Count(string(data), "\u0085") +
		strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029") + 2
	if p.Text == "" || p.Line < 0 || p.Line > lines || strings.ContainsAny(p.String(), "\n\x00") {
		t.Errorf("a problem at line %d of %d: %q", p.Line, lines, p)
	}
}
