package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

var update = flag.Bool("update", false, "write the messages of testdata/bad into its files")

// wantMark begins the lines with the messages that a bad file must give.
const wantMark = "# want: "

// badFiles returns the files of testdata/bad by name, without their wanted messages,
// and those messages.
func badFiles(tb testing.TB) (files, wanted map[string]string) {
	tb.Helper()
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(paths) < 40 {
		tb.Fatalf("%d bad files, want at least 40: %v", len(paths), err)
	}
	files, wanted = map[string]string{}, map[string]string{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		var want []string
		var rest strings.Builder
		for line := range strings.Lines(string(data)) {
			if message, ok := strings.CutPrefix(line, wantMark); ok {
				want = append(want, strings.TrimSuffix(message, "\n"))
			} else {
				rest.WriteString(line)
			}
		}
		files[path], wanted[path] = rest.String(), strings.Join(want, "\n")
	}
	return files, wanted
}

func TestBadFileGivesEveryProblemWithItsLine(t *testing.T) {
	files, wanted := badFiles(t)
	for path, text := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			_, err := config.Parse("audit.yaml", []byte(text), builtin.Types())
			var bad *config.FileError
			if !errors.As(err, &bad) {
				t.Fatalf("Parse: %v, want a *FileError", err)
			}
			if *update {
				marked := wantMark + strings.ReplaceAll(err.Error(), "\n", "\n"+wantMark) + "\n"
				if err := os.WriteFile(path, []byte(text+marked), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got := err.Error(); got != wanted[path] {
				t.Errorf("messages:\n%s\nwant:\n%s", got, wanted[path])
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message holds a secret: %v", err)
			}
		})
	}
}
