package logfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/paddock-dev/audit/benchmarks/internal/bench"
)

func TestTheBareCoreWritesTheLineOfTheSink(t *testing.T) {
	for _, event := range bench.Events() {
		fixed, err := bench.Named(event)
		if err != nil {
			t.Fatal(err)
		}
		event.New = fixed.DeepCopy
		if ours, bare := firstLine(t, openOursNamed, event), firstLine(t, openZapCore, event); ours != bare {
			t.Errorf("%s:\nours %s\nbare %s", event.Name, ours, bare)
		}
	}
}

func firstLine(t *testing.T, open func(string, bench.Event) (bench.Writer, error), event bench.Event) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), fileName)
	w, err := open(path, event)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(0); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
