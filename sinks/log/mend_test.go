package log_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/sinks/log"
)

func TestOpeningRemovesZerosOfPowerLoss(t *testing.T) {
	zeros := strings.Repeat("\x00", 512)
	ends := strings.ReplaceAll(zeros, "\x00", "\n")
	for name, test := range map[string]struct{ before, want string }{
		"at the end of the file":    {"{}\n{\"a\"" + zeros, "{}\n{\"a\"\n"},
		"behind the last line":      {"{}\n" + zeros, "{}\n"},
		"in place of all":           {zeros, ""},
		"in place of the beginning": {zeros + "{}\n", ends + "{}\n"},
		"between two lines":         {"{}\n" + zeros + "{}\n", "{}\n" + ends + "{}\n"},
		"in a line, twice":          {"{\"a" + zeros + "b" + zeros + "\"}\n{}\n", "{\"a" + ends + "b" + ends + "\"}\n{}\n"},
		"in more than is mended":    {"{\"a\"" + strings.Repeat("\x00", 5<<20), "{\"a\"" + strings.Repeat("\x00", 1<<20) + "\n"},
		"in a file without zeros":   {"{}\n", "{}\n"},
	} {
		for _, fsync := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "audit.log")
			must(t, os.WriteFile(path, []byte(test.before), 0o600))
			sink := newFile(t, path, log.FileOptions{Fsync: fsync})
			names, err := writeMany(t, sink, 1)
			must(t, err)
			text, err := os.ReadFile(path)
			must(t, err)
			rest, ok := strings.CutPrefix(string(text), test.want)
			if !ok || !strings.HasPrefix(rest, "{") || !strings.Contains(rest, names[0]) || strings.Count(rest, "\n") != 1 {
				t.Errorf("%s, fsync %t: the file holds %.2000q, want %.2000q and one line", name, fsync, text, test.want)
			}
		}
	}
}
